#pragma once

namespace millrace::sidecar {

/// Has memory lie in huge pages, where the kernel has transparent ones and lets programs ask for
/// them. Items lie in it at random: with small pages the processor walks the page tables for nearly
/// each.
///
/// The C library asks for them if a tunable tells it to when the process starts
/// (glibc.malloc.hugetlb; the GNU C Library's manual, "Memory Allocation Tunables"). So the program
/// is started again in this process, once, with the same arguments. Returns there, the environment
/// being as it was, or here if that cannot be. Whoever sets that tunable themselves, to 0 for
/// instance, is heeded. For before any thread is started and any input is read.
void use_huge_pages(char** arguments);

}  // namespace millrace::sidecar
