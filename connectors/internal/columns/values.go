package columns

// Values lists the values of a cell, each a text without blanks around it. It is empty when the cell is.
func (c *Cell) Values() []string {
	if c.is != listCell {
		if text := c.String(); text != "" {
			return []string{text}
		}
		return nil
	}
	var values []string
	for _, item := range c.list {
		if item = trim(item); item != "" {
			values = append(values, item)
		}
	}
	return values
}
