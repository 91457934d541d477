// Package wine runs Windows programs under Wine, so that what the agent does on
// Windows is executed and not only compiled. What passes here is verified under
// Wine 10, and nothing more may be said of it. It is for tests only.
//
// A [Windows] is Debian's Wine in a root directory of its own, in namespaces of
// its own, over a cached directory that it can't change: whatever a program
// writes, and every process it leaves behind, is gone when the test ends.
package wine
