#pragma once

#include <string>
#include <utility>

#include "core/ops/answered_command.h"
#include "core/ops/table_description.h"

namespace millrace {

/// A change of the catalogue: evaluated alone, so that what the catalogue has published is exact.
class DefinitionCommand : public AnsweredCommand {
 public:
  bool alone() const final { return true; }
  size_t bytes() const final { return 4096; }

 protected:
  DefinitionCommand(Node& node, Reply reply)
      : AnsweredCommand(std::move(reply)), catalog_(node.catalog), clock_(node.clock) {}

  /// Answers {"TableDescription":{...}}.
  void answer_description(const Table& table, std::string_view status) {
    std::string body = "{\"TableDescription\":";
    render_table(catalog_, table, status, clock_.wall_ms(), body);
    answer(body + "}");
  }

  const Catalog& catalog_;
  const Clock& clock_;
};

}  // namespace millrace
