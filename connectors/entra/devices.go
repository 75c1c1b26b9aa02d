package entra

import (
	"context"
	"slices"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
)

// deviceProperties lists what is selected of Intune's devices. Storage and compliance dates change by themselves
// and are left out.
func deviceProperties(lastSeen bool) []string {
	list := []string{
		"complianceState", "deviceName", "emailAddress", "enrolledDateTime", "id", "managedDeviceOwnerType", "managementAgent", "manufacturer", "model",
		"operatingSystem", "osVersion", "phoneNumber", "serialNumber", "userId",
	}
	if lastSeen {
		list = append(list, "lastSyncDateTime")
	}
	return list
}

// listDevices lists Intune's devices. There is no change tracking for them.
func (r *Reader) listDevices(ctx context.Context, p *listReading) error {
	first, err := r.client.requests.managedDevices(deviceProperties(r.sel.DeviceLastSeen), most)
	if err != nil {
		return err
	}
	p.one = r.client.requests.managedDevice
	decoder := newDeviceDecoder(r.sel.DeviceLastSeen)
	return p.list(ctx, first, func(v jsonscan.Value) error {
		if err := decoder.entry.load(v); err != nil {
			p.refuse(decoder.entry.id, err)
			return nil
		}
		o, err := decoder.translate()
		if err != nil {
			p.refuse(decoder.entry.id, err)
			return nil
		}
		p.object(o)
		return nil
	}, nil)
}

// deviceDecoder translates managed devices.
type deviceDecoder struct {
	schema schema
	fields []fieldDecoder
	entry  *entry
	user   int // slot of userId
}

func newDeviceDecoder(lastSeen bool) *deviceDecoder {
	f := &deviceDecoder{}
	l := &f.schema
	f.user = l.slot("userId")
	f.fields = []fieldDecoder{
		l.text(directory.FieldName, "deviceName"),
		l.text(directory.FieldSerialNumber, "serialNumber"),
		l.text(directory.FieldManufacturer, "manufacturer"),
		l.text(directory.FieldModel, "model"),
		l.text(directory.FieldOS, "operatingSystem"),
		l.text(directory.FieldOSVersion, "osVersion"),
		l.text(directory.FieldOwnership, "managedDeviceOwnerType"),
		l.text(directory.FieldManagedBy, "managementAgent"),
		l.text(directory.FieldStatus, "complianceState"),
		l.text(directory.FieldEmail, "emailAddress"),
		l.text(directory.FieldPhone, "phoneNumber"),
		l.time(directory.FieldCreated, "enrolledDateTime"),
	}
	if lastSeen {
		f.fields = append(f.fields, l.time(directory.FieldLastSeen, "lastSyncDateTime"))
	}
	slices.SortFunc(f.fields, func(a, b fieldDecoder) int { return strings.Compare(a.field, b.field) })
	f.entry = newEntry(l)
	return f
}

// nobody is how some services spell that a device has no user.
const nobody = "00000000-0000-0000-0000-000000000000"

func (f *deviceDecoder) translate() (directory.Object, error) {
	o := directory.Object{Kind: directory.Device, ID: f.entry.id}
	for _, c := range f.fields {
		v, err := c.get(f.entry)
		if err != nil {
			return o, err
		}
		if v.Type() != directory.NullType {
			o.Fields = append(o.Fields, directory.Field{Name: c.field, Value: v})
		}
	}
	user := f.entry.values[f.user]
	id, ok := user.Text()
	if !ok && !user.Null() {
		return o, mismatch("userId", "a text", user)
	}
	if id != "" && id != nobody {
		o.Links = []directory.Link{{Type: directory.Owner, To: directory.IDHandle(canonicalID(id))}}
	}
	return o, nil
}
