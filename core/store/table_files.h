#pragma once

#include <leveldb/env.h>

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/result.h"

namespace millrace {

/// Reads every block of every file of the LevelDB tables in `folder` that they are made of now and
/// compares its checksum. `damaged` is called with each file's path and what is wrong with it.
/// Returns the number of files; an error if the tables cannot be opened: then all files there are
/// have been read. Whatever opening them writes goes to `env`.
Result<uint64_t> check_table_files(
    leveldb::Env& env, const std::string& folder,
    const std::function<void(const std::string& path, const std::string& what)>& damaged);

}  // namespace millrace
