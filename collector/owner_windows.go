package main

// becomeOwner has nothing to do: rights there are not given up by becoming
// somebody else.
func becomeOwner(string) error { return nil }
