package microsoftsim

import (
	"fmt"
	"slices"
)

// managedDevice is a device that Intune manages.
type managedDevice struct {
	id    string
	props []prop
}

func (p Population) managedDevice(t *Tenant, i int) *managedDevice {
	owner := ""
	if p.People > 0 && i%6 != 5 {
		owner = t.PersonID(i % p.People)
	}
	m := Props{
		"id": t.ManagedID(i), "userId": owner, "deviceName": fmt.Sprintf("PC-%05d", i), "managedDeviceOwnerType": "company",
		"enrolledDateTime": p.made(i), "lastSyncDateTime": "2026-01-05T10:00:00Z", "operatingSystem": "Windows", "osVersion": "10.0.22631.4037",
		"complianceState": "compliant", "jailBroken": "Unknown", "managementAgent": "mdm", "azureADRegistered": true,
		"azureADDeviceId": seededGUID(p.Seed, 'A', i), "deviceEnrollmentType": "windowsAzureADJoin", "deviceRegistrationState": "registered",
		"deviceCategoryDisplayName": "", "isSupervised": false, "isEncrypted": true, "emailAddress": "", "model": "Slate 5", "manufacturer": "Contoso",
		"serialNumber": fmt.Sprintf("SN%08d", i), "imei": "", "phoneNumber": "", "totalStorageSpaceInBytes": 255_060_869_120,
		"freeStorageSpaceInBytes": 101_000_000_000, "complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59.9999999Z",
	}
	return &managedDevice{id: t.ManagedID(i), props: m.encode()}
}

// ManagedIDs lists the devices that Intune manages.
func (t *Tenant) ManagedIDs() (ids []string) {
	t.read(func(d *directoryData) {
		for _, m := range d.managed {
			ids = append(ids, m.id)
		}
	})
	return ids
}

// AddManaged adds a device that Intune manages and returns its id.
func (t *Tenant) AddManaged(p Props) (id string) {
	t.change(func(d *directoryData) {
		d.serial++
		m := t.made.managedDevice(t, 1_000_000+d.serial)
		m.set(p)
		id = m.id
		d.managed = append(d.managed, m)
	})
	return id
}

// SetManaged changes properties of a device that Intune manages.
func (t *Tenant) SetManaged(id string, p Props) {
	t.change(func(d *directoryData) {
		i := slices.IndexFunc(d.managed, func(m *managedDevice) bool { return m.id == id })
		if i < 0 {
			panic("simulator: no managed device " + id) // a mistake in the program that uses the simulator
		}
		d.managed[i].set(p)
	})
}

// DeleteManaged removes a device that Intune manages.
func (t *Tenant) DeleteManaged(id string) {
	t.change(func(d *directoryData) {
		d.managed = slices.DeleteFunc(d.managed, func(m *managedDevice) bool { return m.id == id })
	})
}

func (m *managedDevice) set(p Props) {
	o := object{props: m.props}
	for _, pr := range p.encode() {
		o.set(pr.name, pr.raw)
	}
	m.props = o.props
}
