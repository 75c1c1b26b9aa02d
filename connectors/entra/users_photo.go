package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// photoField is where a person's photo is found by a rule.
const photoField = directory.AttributePrefix + "photo"

// photos adds to the people of the page what there is of their photos. A photo hangs on a person as a relationship: no
// list shows it and no change of it is told ("Get profilePhoto", "delta query overview"), so everybody who is on a page
// is asked about.
//
// Whose photo cannot be told is refused and stays as stored: a person without the field would count as one whose
// photo was taken away.
func (g *reading) photos(ctx context.Context) error {
	if !g.r.sel.Photos {
		return nil
	}
	var ids []string
	for i := range g.built.objects {
		if !g.built.dropped[i] {
			ids = append(ids, g.built.objects[i].ID)
		}
	}
	return g.r.photosOf(ctx, ids, func(id string, v directory.Value, err error) {
		switch {
		case err != nil:
			g.built.drop(id)
			g.refuse(id, err)
		case v.Type() != directory.NullType:
			g.built.objects[g.built.at[id]].Set(photoField, v)
		}
	})
}

// photosOf asks for the photos of users and calls each for every one of them: with what there is of the photo, Null
// when there is none, or with what stands in the way of this photo alone.
func (r *Reader) photosOf(ctx context.Context, ids []string, each func(id string, v directory.Value, err error)) error {
	for chunk := range slices.Chunk(ids, perBatch) {
		list := make([]*url.URL, len(chunk))
		for i, id := range chunk {
			var err error
			if list[i], err = r.client.requests.photo(id); err != nil {
				return err
			}
		}
		parts, err := r.client.batch(ctx, list)
		if err != nil {
			return err
		}
		for i, id := range chunk {
			v, err := parts[i].photo()
			each(id, v, err)
		}
	}
	return nil
}

// photo reads the answer about a photo. 404 is the documented word for none ("Get profilePhoto"), and its codes are
// many (ImageNotFound, ErrorItemNotFound, ErrorEntityNotFound, ResourceNotFound, those of a missing mailbox, or no
// document at all). A user whom the service does not find is too new to have lost a photo, or gone, which a later
// page says.
func (p part) photo() (directory.Value, error) {
	switch {
	case p.err == nil:
		return photoValue(p.body)
	case fault.ClassOf(p.err) == fault.Gone:
		return directory.Null(), nil
	}
	err := p.err
	if g, ok := asGraph(err); ok {
		if g.Status == http.StatusBadRequest && g.lacksMailbox() {
			return directory.Null(), nil
		}
		same := *g
		same.ID = "" // of another request every time, and somebody is parked once for each reason
		err = &same
	}
	return directory.Value{}, fmt.Errorf("the photo cannot be read: %w", err)
}

// lacksMailbox reports whether a refusal is that of somebody without a mailbox (MailboxNotEnabledForRESTAPI and its
// kin), where photos used to be kept.
func (e *graphError) lacksMailbox() bool {
	return slices.ContainsFunc(e.Codes, func(code string) bool { return strings.Contains(strings.ToLower(code), "mailbox") })
}

// photoSize is the id of a photo where the service does not state width and height.
var photoSize = regexp.MustCompile(`^[0-9]{1,5}[xX][0-9]{1,5}$`)

// photoValue shows a photo by reference, so that rules and targets see that it changed without carrying it: "etag:…
// 648x648", the tag of its content as the service gives it and its size in pixels. Null is no photo.
func photoValue(v jsonscan.Value) (directory.Value, error) {
	if !v.IsObject() {
		return directory.Value{}, mismatch("photo", "an object", v)
	}
	tag := v.Member("@odata.mediaEtag")
	etag, ok := tag.Text()
	if !ok && !tag.Null() {
		return directory.Value{}, mismatch("photo.@odata.mediaEtag", "a text", tag)
	}
	etag = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	size, _ := v.Member("id").Text()
	if !photoSize.MatchString(size) {
		size = ""
	}
	width, known, err := whole("photo.width", v.Member("width"))
	if err != nil {
		return directory.Value{}, err
	}
	height, both, err := whole("photo.height", v.Member("height"))
	if err != nil {
		return directory.Value{}, err
	}
	if known && both && width > 0 && height > 0 {
		size = fmt.Sprintf("%dx%d", width, height)
	}
	size = strings.ToLower(size)
	switch {
	case etag == "" && size == "1x1":
		// The other documented word for none: a picture of one pixel without a tag.
		return directory.Null(), nil
	case etag == "" && size == "":
		return directory.Value{}, errors.New("the photo has neither a tag nor a size")
	case etag == "":
		return directory.Text(size), nil
	default:
		return directory.Text(strings.TrimSpace("etag:" + etag + " " + size)), nil
	}
}
