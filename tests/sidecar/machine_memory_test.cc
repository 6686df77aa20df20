#include "sidecar/machine_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace millrace::sidecar {
namespace {

class MachineMemory : public testing::Test {
 protected:
  MachineMemory() { std::filesystem::remove_all(root_); }
  ~MachineMemory() override { std::filesystem::remove_all(root_); }
  void file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << "\n";
  }
  uint64_t bytes() const { return machine_memory_bytes(root_); }

  const std::string root_ = testing::TempDir() + "machine-" + std::to_string(::getpid());
};

TEST_F(MachineMemory, IsTheMachinesWithoutControlGroups) {
  const uint64_t all = bytes();
  EXPECT_GT(all, 64u << 20);
  file("/proc/self/cgroup", "0::/");
  EXPECT_EQ(bytes(), all);
  file("/sys/fs/cgroup/memory.max", "max");
  EXPECT_EQ(bytes(), all);
  file("/sys/fs/cgroup/memory.max", "9223372036854771712");
  EXPECT_EQ(bytes(), all);
}

TEST_F(MachineMemory, IsTheLeastLimitOfTheGroupsAboveTheProcess) {
  file("/proc/self/cgroup", "0::/system.slice/millrace.service");
  file("/sys/fs/cgroup/system.slice/memory.max", "50000000");
  file("/sys/fs/cgroup/system.slice/millrace.service/memory.max", "max");
  EXPECT_EQ(bytes(), 50000000u);
  file("/sys/fs/cgroup/system.slice/millrace.service/memory.max", "40000000");
  EXPECT_EQ(bytes(), 40000000u);
}

TEST_F(MachineMemory, IsTheContainersWhereThePathIsTheHosts) {
  file("/proc/self/cgroup", "5:pids:/\n4:cpu,memory:/kubepods/pod1/c2\n0::/");
  file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "60000000");
  EXPECT_EQ(bytes(), 60000000u);
}

TEST_F(MachineMemory, IsTheMachinesWhereTheFilesAreNotUnderstood) {
  const uint64_t all = bytes();
  file("/proc/self/cgroup", "\n:\n0:\nx::y\n0::relative");
  file("/sys/fs/cgroup/memory.max", "text");
  EXPECT_EQ(bytes(), all);
}

}  // namespace
}  // namespace millrace::sidecar
