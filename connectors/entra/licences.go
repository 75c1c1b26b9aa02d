package entra

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// listLicences lists what the tenant has bought: one object per product.
func (r *Reader) listLicences(ctx context.Context, p *listReading) error {
	first, err := r.client.requests.subscribedSKUs()
	if err != nil {
		return err
	}
	names := r.sel.Names
	if names == nil {
		names = BuiltInLicenceNames()
	}
	return p.list(ctx, first, func(v jsonscan.Value) error {
		o, err := licenceObject(v, names)
		if err != nil {
			p.refuse(o.ID, err)
			return nil
		}
		p.object(o)
		return nil
	}, nil)
}

// licenceObject translates a subscribedSku. The id is that of the product, which is what people's licences name.
func licenceObject(v jsonscan.Value, names *LicenceNames) (directory.Object, error) {
	o := directory.Object{Kind: directory.Licence}
	sku, ok := v.Member("skuId").Text()
	if !ok || sku == "" {
		return o, errors.New("a licence has no skuId")
	}
	o.ID = strings.ToLower(sku)
	o.Handles = []string{skuHandle(sku)}
	part, ok := v.Member("skuPartNumber").Text()
	if !ok && !v.Member("skuPartNumber").Null() {
		return o, mismatch("skuPartNumber", "a text", v.Member("skuPartNumber"))
	}
	name, known := names.Name(sku)
	if !known {
		name = part
	}
	o.SetText(directory.FieldName, name)
	o.SetText(directory.FieldSKU, part)
	status, _ := v.Member("capabilityStatus").Text()
	o.SetText(directory.FieldStatus, status)
	used, usedKnown, err := whole("consumedUnits", v.Member("consumedUnits"))
	if err != nil {
		return o, err
	}
	units := v.Member("prepaidUnits")
	enabled, quantityKnown, err := whole("prepaidUnits.enabled", units.Member("enabled"))
	if err != nil {
		return o, err
	}
	// Those with a warning have lapsed and can be used until the grace is over; suspended ones cannot.
	warning, _, err := whole("prepaidUnits.warning", units.Member("warning"))
	if err != nil {
		return o, err
	}
	if usedKnown {
		o.Set(directory.FieldUsed, directory.Number(used))
	}
	if quantityKnown {
		o.Set(directory.FieldQuantity, directory.Number(enabled+warning))
	}
	if usedKnown && quantityKnown {
		o.Set(directory.FieldFree, directory.Number(max(0, enabled+warning-used)))
	}
	return o, nil
}

// whole reads a whole number, and reports whether there is one.
func whole(name string, v jsonscan.Value) (int64, bool, error) {
	if v.Null() {
		return 0, false, nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, false, mismatch(name, "a whole number", v)
	}
	return n, true, nil
}

// oneObject reads an answer that is a single object.
func oneObject(op string, body []byte) (jsonscan.Value, error) {
	text := strings.TrimSpace(strings.TrimPrefix(string(body), "\uFEFF"))
	if !json.Valid([]byte(text)) || text[0] != '{' {
		return "", errors.New(op + ": the answer is not an object, or was cut short")
	}
	return jsonscan.Value(text), nil
}
