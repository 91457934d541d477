package main

// becomeOwner has nothing to do: rights there are not given up by becoming
// somebody else.
func becomeOwner(string) error { return nil }

// ownerOf is not known there.
func ownerOf(string) uint32 { return nobody }
