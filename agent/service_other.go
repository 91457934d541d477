//go:build !linux && !windows

package main

import "github.com/kardianos/service"

// prepareService has nothing to add where the service is one process.
func prepareService(*options, string, *service.Config) error { return nil }
