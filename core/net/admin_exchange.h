#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/net/admin_server.h"

namespace millrace {

/// What a reply has done to its connection, on the server's thread.
class AdminConnection {
 public:
  virtual ~AdminConnection() = default;
  virtual void answer(AdminResponse response) = 0;
  virtual void open_stream(const std::string& content_type) = 0;
  /// Bytes are queued, or the stream is finished.
  virtual void pump() = 0;
  /// Closes without the end of the stream.
  virtual void cut() = 0;
};

/// An answer with a JSON body that says `message`.
AdminResponse admin_error(int status, const std::string& message);

/// What a reply and its connection share.
class AdminReply::Exchange {
 public:
  using Post = std::function<void(std::function<void()>)>;

  /// `post` runs work on the server's thread, or drops it once the server has stopped.
  Exchange(Post post, size_t stream_bytes_max, std::weak_ptr<AdminConnection> connection)
      : post_(std::move(post)),
        stream_bytes_max_(stream_bytes_max),
        connection_(std::move(connection)) {}

  void send(AdminResponse response);
  void open(std::string content_type);
  bool write(std::string_view bytes);
  bool full() const {
    std::lock_guard lock(mutex_);
    return !gone_ && queued_.size() + in_flight_ >= stream_bytes_max_;
  }
  void when_writable(std::function<void()> resume);
  void when_gone(std::function<void()> left);
  bool gone() const {
    std::lock_guard lock(mutex_);
    return gone_;
  }
  void finish();
  /// The reply was dropped.
  void drop();

  // The connection's, on the server's thread.
  std::string take_queued();
  void written();
  bool finished() const {
    std::lock_guard lock(mutex_);
    return finished_;
  }
  void connection_gone();

 private:
  enum class Stage : uint8_t { kUnanswered, kStreaming, kDone };
  void wake_connection();

  const Post post_;
  const size_t stream_bytes_max_;
  const std::weak_ptr<AdminConnection> connection_;
  Stage stage_ = Stage::kUnanswered;  // the replier's
  mutable std::mutex mutex_;
  std::string queued_;    // guarded by mutex_, as is all below
  size_t in_flight_ = 0;  // bytes being written
  bool gone_ = false;
  bool finished_ = false;
  bool wake_pending_ = false;
  std::function<void()> resume_;
  std::function<void()> left_;
};

}  // namespace millrace
