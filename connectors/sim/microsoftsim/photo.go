package microsoftsim

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
)

// photo is the picture of a user. It hangs on the user as a relationship: no list and no delta shows it, and no
// change of it is an event.
type photo struct {
	content       []byte
	width, height int
}

func (p *photo) size() string { return fmt.Sprintf("%dx%d", p.width, p.height) }

// tag is the entity tag of the content, in the quotes that belong to it.
func (p *photo) tag() string { return fmt.Sprintf(`"%08X"`, crc32.ChecksumIEEE(p.content)) }

// photoPermissions are those of which one lets an application see photos. Directory.Read.All is not among them.
func photoPermissions() []string {
	return []string{"User.Read.All", "User.ReadWrite.All", "ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All"}
}

// SetPhoto gives a user a square photo with so many pixels at each side.
func (t *Tenant) SetPhoto(id string, pixels int, content string) {
	t.change(func(d *directoryData) { d.must(id).photo = &photo{[]byte(content), pixels, pixels} })
}

// RemovePhoto takes a user's photo away.
func (t *Tenant) RemovePhoto(id string) {
	t.change(func(d *directoryData) { d.must(id).photo = nil })
}

// Photo returns the tag and the size of a user's photo as the service spells them, empty when there is none.
func (t *Tenant) Photo(id string) (tag, size string) {
	t.read(func(d *directoryData) {
		if p := d.must(id).photo; p != nil {
			tag, size = p.tag(), p.size()
		}
	})
	return tag, size
}

// madePhoto is the photo of the population's person with this number: two of three have one, of three sizes.
func (p Population) madePhoto(i int) *photo {
	if !p.Photos || i%3 == 0 {
		return nil
	}
	pixels := []int{648, 240, 96}[i%3]
	return &photo{fmt.Appendf(nil, "\xFF\xD8\xFF portrait %d of %d", i, p.Seed), pixels, pixels}
}

// photo answers for a user's photo, or for what is in it.
func (x *exchange) photo(o *object, value bool) {
	p := o.photo
	_, quirks := x.s.settings()
	if p == nil && quirks.BlankPhotos && !value {
		p = &photo{width: 1, height: 1}
	}
	switch {
	case p == nil:
		x.refuse(http.StatusNotFound, "ImageNotFound", "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.")
	case value:
		x.out.Set("Content-Type", "image/jpeg")
		x.out.Set("ETag", p.tag())
		x.answer(http.StatusOK, p.content)
		if x.inner { // a batch carries what is not JSON as base64
			x.body = []byte(text(base64.StdEncoding.EncodeToString(p.content)))
		}
	default:
		kind, tag := "image/jpeg", p.tag()
		if p.content == nil {
			kind, tag = "image/gif", ""
		}
		var w writer
		x.begin(&w, "users('"+o.id+"')/photo/$entity")
		first := false // the context is there
		w.key(&first, "@odata.mediaContentType", text(kind))
		w.key(&first, "@odata.mediaEtag", text(tag))
		w.key(&first, "id", text(p.size()))
		w.key(&first, "width", strconv.Itoa(p.width))
		w.key(&first, "height", strconv.Itoa(p.height))
		w.WriteByte('}')
		x.answer(http.StatusOK, w.Bytes())
	}
}
