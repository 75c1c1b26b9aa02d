package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/api/googleapi"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// The most that Google puts on a page of devices.
const (
	chromePage = 300
	mobilePage = 100
)

// chromeDevice is what is read of Google's ChromeOS device resource.
type chromeDevice struct {
	ID        string `json:"deviceId"`
	Serial    string `json:"serialNumber"`
	Status    string `json:"status"`
	Model     string `json:"model"`
	OSVersion string `json:"osVersion"`
	User      string `json:"annotatedUser"` // free text
	Asset     string `json:"annotatedAssetId"`
	Notes     string `json:"notes"`
	Path      string `json:"orgUnitPath"`
	Enrolled  string `json:"firstEnrollmentTime"`
	LastSync  string `json:"lastSync"`
}

const chromeMask = "deviceId,serialNumber,status,model,osVersion,annotatedUser,annotatedAssetId,notes,orgUnitPath,firstEnrollmentTime"

// mobileDevice is what is read of Google's mobile device resource. One that two people use is two entries.
type mobileDevice struct {
	ID           string   `json:"resourceId"`
	Serial       string   `json:"serialNumber"`
	Status       string   `json:"status"`
	Model        string   `json:"model"`
	Manufacturer string   `json:"manufacturer"`
	OS           string   `json:"os"`
	Emails       []string `json:"email"`
	FirstSync    string   `json:"firstSync"`
	LastSync     string   `json:"lastSync"`
}

const mobileMask = "resourceId,serialNumber,status,model,manufacturer,os,email,firstSync"

// fullDevices lists the kinds of device that the configuration asks for.
func (r *reading) fullDevices(ctx context.Context) error {
	cfg := &r.connector.cfg.Devices
	seen := ""
	if cfg.LastSeen {
		seen = ",lastSync"
	}
	if cfg.ChromeOS {
		err := r.devices(ctx, "deviceId", func(d *listPage) []json.RawMessage { return d.ChromeOS }, chromeObject, func(ctx context.Context, token string) error {
			call := r.chrome.Chromeosdevices.List(r.customer).Context(ctx).MaxResults(chromePage).Projection("BASIC")
			call.Fields(googleapi.Field("kind,etag,nextPageToken,chromeosdevices(" + chromeMask + seen + ")"))
			if token != "" {
				call.PageToken(token)
			}
			_, err := call.Do()
			return err
		})
		if err != nil {
			return err
		}
	}
	if cfg.Mobile {
		err := r.devices(ctx, "resourceId", func(d *listPage) []json.RawMessage { return d.Mobile }, mobileObject, func(ctx context.Context, token string) error {
			call := r.mobile.Mobiledevices.List(r.customer).Context(ctx).MaxResults(mobilePage).Projection("FULL")
			call.Fields(googleapi.Field("kind,etag,nextPageToken,mobiledevices(" + mobileMask + seen + ")"))
			if token != "" {
				call.PageToken(token)
			}
			_, err := call.Do()
			return err
		})
		if err != nil {
			return err
		}
	}
	last := r.closing()
	last.Look = r.lookForDevices
	return r.emit(last)
}

// lookForDevices asks for devices one by one and returns the ids of those that are there. An id does not say of which
// kind the device is.
func (r *reading) lookForDevices(ctx context.Context, ids []string) (there []string, err error) {
	cfg := &r.connector.cfg.Devices
	var calls []func(ctx context.Context, id string) error
	if cfg.ChromeOS {
		calls = append(calls, func(ctx context.Context, id string) error {
			_, err := r.chrome.Chromeosdevices.Get(r.customer, id).Context(ctx).Projection("BASIC").Fields("deviceId").Do()
			return err
		})
	}
	if cfg.Mobile {
		calls = append(calls, func(ctx context.Context, id string) error {
			_, err := r.mobile.Mobiledevices.Get(r.customer, id).Context(ctx).Projection("BASIC").Fields("resourceId").Do()
			return err
		})
	}
	for _, id := range ids {
		for _, call := range calls {
			_, err := ask(ctx, "get a device", func(ctx context.Context) error { return call(ctx, id) })
			if err == nil {
				there = append(there, id)
				break
			}
			if !gone(err) {
				return there, err
			}
		}
	}
	return there, nil
}

// devices lists one kind of device.
func (r *reading) devices(ctx context.Context, idKey string, entries func(*listPage) []json.RawMessage,
	translate func(json.RawMessage) (directory.Object, error), call func(ctx context.Context, token string) error,
) error {
	pages := 0
	c := &pager{
		op: r.op, entries: entries,
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return ask(ctx, "list devices", func(ctx context.Context) error { return call(ctx, token) })
		},
		take: func(list []json.RawMessage) error {
			pages++
			p := &connectors.Page{}
			for i, raw := range list {
				o, err := translate(raw)
				if err != nil {
					where := fmt.Sprintf("devices by %s, page %d, entry %d", idKey, pages, i+1)
					p.Invalid = append(p.Invalid, invalid(directory.Device, raw, idKey, err, where))
					continue
				}
				p.Objects = append(p.Objects, o)
			}
			if len(p.Objects)+len(p.Invalid) == 0 {
				return nil
			}
			return r.emit(p)
		},
	}
	return c.follow(ctx)
}

func chromeObject(raw json.RawMessage) (directory.Object, error) {
	var d chromeDevice
	if err := json.Unmarshal(raw, &d); err != nil {
		return directory.Object{}, shapeOnly(err)
	}
	if d.ID == "" {
		return directory.Object{}, errors.New("it has no deviceId")
	}
	o := directory.Object{Kind: directory.Device, ID: d.ID}
	f := fields{&o}
	f.text(directory.FieldName, firstOf(d.Asset, d.Serial, d.ID))
	f.text(directory.FieldSerialNumber, d.Serial)
	f.text(directory.FieldModel, d.Model)
	f.text(directory.FieldOS, "ChromeOS")
	f.text(directory.FieldOSVersion, d.OSVersion)
	f.text(directory.FieldOwnership, "company")
	f.text(directory.FieldPath, d.Path)
	f.text(directory.FieldDescription, d.Notes)
	f.state(d.Status, "DEPROVISIONED", "DISABLED", "RETURN_ARRIVED")
	f.time(directory.FieldCreated, d.Enrolled)
	f.time(directory.FieldLastSeen, d.LastSync)
	f.owner(d.User)
	f.finish()
	return o, nil
}

func mobileObject(raw json.RawMessage) (directory.Object, error) {
	var d mobileDevice
	if err := json.Unmarshal(raw, &d); err != nil {
		return directory.Object{}, shapeOnly(err)
	}
	if d.ID == "" {
		return directory.Object{}, errors.New("it has no resourceId")
	}
	o := directory.Object{Kind: directory.Device, ID: d.ID}
	f := fields{&o}
	f.text(directory.FieldName, firstOf(d.Serial, d.Model, d.ID))
	f.text(directory.FieldSerialNumber, d.Serial)
	f.text(directory.FieldModel, d.Model)
	f.text(directory.FieldManufacturer, d.Manufacturer)
	f.text(directory.FieldOS, d.OS)
	f.state(d.Status, "BLOCKED", "WIPED", "WIPING", "ACCOUNT_WIPED", "ACCOUNT_WIPING", "UNPROVISIONED")
	f.time(directory.FieldCreated, d.FirstSync)
	f.time(directory.FieldLastSeen, d.LastSync)
	if len(d.Emails) > 0 {
		f.owner(d.Emails[0])
	}
	f.finish()
	return o, nil
}

// state sets the status, and that the device may not be used in some of them.
func (f fields) state(status string, off ...string) {
	f.text(directory.FieldStatus, strings.ToLower(status))
	if status == "" {
		return
	}
	on := true
	for _, word := range off {
		on = on && !strings.EqualFold(status, word)
	}
	f.add(directory.FieldEnabled, directory.Bool(on))
}

// owner links a device to whoever has an address. Free text that is none links to nobody.
func (f fields) owner(address string) {
	if !strings.Contains(address, "@") || strings.ContainsAny(strings.TrimSpace(address), " ,;") {
		return
	}
	f.text(directory.FieldEmail, address)
	f.o.Links = append(f.o.Links, directory.Link{Type: directory.Owner, To: mailHandle(address)})
}
