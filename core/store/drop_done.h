#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/model/schema.h"
#include "core/store/engine.h"

namespace millrace {

/// Takes a dropped generation's item out of the drop table. `refused` is called if it did not get
/// that far, so that it is tried again.
class DropDone final : public Command {
 public:
  DropDone(Generation generation, std::function<void(Generation)> refused)
      : generation_(generation), refused_(std::move(refused)) {
    append_partition_prefix(kDropGeneration, std::to_string(generation), key_);
  }
  size_t bytes() const override { return key_.size(); }
  void evaluate(Commit& commit) override {
    std::string image;
    if (auto found = commit.get(key_, image); found && *found) commit.remove(key_, std::nullopt);
  }
  void done(const Status& status) override {
    if (!status) refused_(generation_);
  }

 private:
  const Generation generation_;
  const std::function<void(Generation)> refused_;
  std::string key_;
};

}  // namespace millrace
