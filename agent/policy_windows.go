package main

import (
	"os"

	"golang.org/x/sys/windows/registry"
)

// policies are the group policies of the agent, by the variable each stands for;
// installers/windows/policy describes them to administrators.
var policies = map[string]string{"CONSTAT_COLLECTOR": "Collector", "CONSTAT_PROXY": "Proxy", "CONSTAT_TOKEN_FILE": "TokenFile"}

// prescribed is what the environment says of a setting, or a group policy.
func prescribed(variable string) (string, bool) {
	if value, given := os.LookupEnv(variable); given || policies[variable] == "" {
		return value, given
	}
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `Software\Policies\Constat\Agent`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return "", false // nobody made one
	}
	defer key.Close()
	value, _, err := key.GetStringValue(policies[variable])
	return value, err == nil && value != ""
}
