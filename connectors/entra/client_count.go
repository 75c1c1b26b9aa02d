package entra

import (
	"context"
	"net/url"
)

// size asks how many objects there are that a list must name; 0 when the service does not say, which is not held against
// it: not every kind of tenant counts, and no list is doubted for want of a number. The number comes from an index that is
// behind the directory by some seconds or minutes, in both directions.
func (c *Client) size(ctx context.Context, op string, of func() (*url.URL, error)) (int, error) {
	u, err := of()
	if err != nil {
		return 0, err
	}
	body, err := c.get(ctx, u, "")
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return 0, nil //nolint:nilerr // as it was before there was a number
	}
	page, err := openEnvelope(op, body)
	if err != nil {
		return 0, nil //nolint:nilerr // the same
	}
	return page.count, nil
}
