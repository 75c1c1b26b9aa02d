package entra

import (
	"maps"
	"slices"
)

// cloud is where one of Microsoft's clouds signs in and answers.
type cloud struct{ authority, graph string }

// clouds are the national clouds by the names that the configuration knows ("Microsoft Graph, national cloud
// deployments"). A token of one is worth nothing in another.
func clouds() map[string]cloud {
	return map[string]cloud{
		"global":   {"https://login.microsoftonline.com", "https://graph.microsoft.com"},
		"usgov":    {"https://login.microsoftonline.us", "https://graph.microsoft.us"},
		"usgovdod": {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
		"china":    {"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
	}
}

// CloudNames lists the clouds that Cloud knows, in alphabetical order.
func CloudNames() []string { return slices.Sorted(maps.Keys(clouds())) }

// Cloud returns where a cloud signs in and where its Graph is, both without a path.
func Cloud(name string) (authority, graph string, ok bool) {
	c, ok := clouds()[name]
	return c.authority, c.graph, ok
}
