#pragma once

#include <string>

#include "core/base/result.h"
#include "core/ops/page.h"
#include "core/ops/page_cache.h"
#include "core/store/view.h"

namespace millrace {

/// One page: the answer's body without ConsumedCapacity, which is its last member.
struct Page {
  std::string body;
  PageSize size;
};

/// Reads one page of `view`.
Result<Page> read_page(const View& view, const PageRequest& request);

/// Makes ConsumedCapacity the body's last member. `request.capacity` is not kNone.
void add_capacity(const PageRequest& request, PageSize size, std::string& body);

}  // namespace millrace
