package main

import "context"

// notifier tells nothing on this system yet: the icon shows that there is something.
func notifier(context.Context, *session) func(title, text, view string) {
	return func(string, string, string) {}
}
