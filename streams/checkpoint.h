#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/store/lsn.h"

namespace millrace::streams {

// The position of a reader by name: an item of the checkpoint table. Both persisted.

std::string checkpoint_key(std::string_view name);
/// `name` S, `lsn` N: everything up to it is done with.
std::string checkpoint_item(std::string_view name, Lsn lsn);
/// kCorruption if `image` is no such item.
Result<Lsn> checkpoint_lsn(std::string_view image);

}  // namespace millrace::streams
