package strict

import "go.yaml.in/yaml/v4"

// Aliases may add to a document maxRepeated values, and repeatedPerValue for each that is written out: a small file stays
// a small configuration, and two thousand connections may share one block.
const (
	maxRepeated      = 50_000
	repeatedPerValue = 64
)

// aliasCheck computes how many values every node stands for, aliases followed.
type aliasCheck struct {
	sizes map[*yaml.Node]int // -1 while a node's content is being counted
	cycle *yaml.Node         // the alias that leads back to where it stands
	plain int
	most  *yaml.Node // the alias that adds most
	adds  int
}

// checkAliases refuses documents whose aliases lead back to themselves or multiply. What passes can be walked
// without further guards.
func (d *Document) checkAliases(root *yaml.Node) bool {
	c := aliasCheck{sizes: make(map[*yaml.Node]int)}
	total := c.size(root)
	if c.cycle != nil {
		d.report(c.cycle.Line, c.cycle.Column, "", "alias *%s stands inside its own anchor", cut(c.cycle.Value))
		return false
	}
	if limit := maxRepeated + repeatedPerValue*c.plain; total-c.plain > limit {
		d.report(c.most.Line, c.most.Column, "write out less by aliases, or divide the configuration",
			"aliases repeat more than %d values; this one, *%s, adds %d at a time", limit, cut(c.most.Value), c.adds)
		return false
	}
	return true
}

func (c *aliasCheck) size(n *yaml.Node) int {
	if size, seen := c.sizes[n]; seen {
		if size < 0 && c.cycle == nil {
			c.cycle = n
		}
		return max(size, 0)
	}
	c.sizes[n] = -1
	total := 1
	c.plain++
	if n.Kind == yaml.AliasNode {
		total += c.target(n)
	}
	for _, child := range n.Content {
		total = min(total+c.size(child), 1<<30)
	}
	c.sizes[n] = total
	return total
}

func (c *aliasCheck) target(n *yaml.Node) int {
	if n.Alias == nil {
		return 0
	}
	if c.sizes[n.Alias] < 0 {
		if c.cycle == nil {
			c.cycle = n
		}
		return 0
	}
	size := c.size(n.Alias)
	if size > c.adds {
		c.most, c.adds = n, size
	}
	return size
}
