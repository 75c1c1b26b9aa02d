package google

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/api/googleapi"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// licencePage is the most that Google puts on a page.
const licencePage = 1000

// assignment is one person's licence (Enterprise License Manager API, licenseAssignments). It names the person by
// its primary address, not by its id.
type assignment struct {
	UserID      string `json:"userId"`
	ProductID   string `json:"productId"`
	ProductName string `json:"productName"`
	SKUID       string `json:"skuId"`
	SKUName     string `json:"skuName"`
}

func (a *assignment) licence() string { return a.ProductID + "/" + a.SKUID }

// assignments lists who holds which licence of one product. take gets every entry, with the reason when it could
// not be read; restart is told that everything comes again.
func (r *reading) assignments(ctx context.Context, product string, restart func(), take func(raw json.RawMessage, a *assignment, bad error) error) error {
	c := &pager{
		op: r.op, restart: restart, entries: func(d *listPage) []json.RawMessage { return d.Items },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			body, err := ask(ctx, "list licence assignments", func(ctx context.Context) error {
				call := r.licences.LicenseAssignments.ListForProduct(product, r.customer).Context(ctx).MaxResults(licencePage)
				call.Fields(googleapi.Field("kind,etag,nextPageToken,items(userId,productId,productName,skuId,skuName)"))
				if token != "" {
					call.PageToken(token)
				}
				_, err := call.Do()
				return err
			})
			if token == "" {
				err = unownedProduct(product, err)
			}
			return body, err
		},
		take: func(entries []json.RawMessage) error {
			for _, raw := range entries {
				var a assignment
				err := json.Unmarshal(raw, &a)
				switch {
				case err != nil:
					err = shapeOnly(err)
				case a.ProductID == "" || a.SKUID == "" || a.UserID == "":
					err = errors.New("it names no product, licence or user")
				case a.ProductID != product:
					err = errors.New("it is of another product than was asked for")
				}
				if err := take(raw, &a, err); err != nil {
					return err
				}
			}
			return nil
		},
	}
	return c.follow(ctx)
}

// unownedProduct names the product in the error for one that Google does not know. It is an error and not an empty
// list: a typing error must not look as if everybody had lost the product.
func unownedProduct(product string, err error) error {
	var answer *answerError
	switch {
	case errors.As(err, &answer) && answer.status == http.StatusPreconditionFailed:
		return &fault.Error{
			Class: fault.Configuration, Op: opLicences, Where: "product " + product, Err: err,
			Hint: "the customer has not bought the product, or Google has not enabled it for the domain: take it out of licences.products",
		}
	case fault.ClassOf(err) == fault.Forbidden:
		return &fault.Error{
			Class: fault.Forbidden, Op: opLicences, Where: "product " + product, Err: err,
			Hint: cmp.Or(fault.Hint(err), "give the subject's role the privilege License Management > Read"),
		}
	case !gone(err) && statusOf(err) != http.StatusBadRequest:
		return err
	}
	return &fault.Error{
		Class: fault.Configuration, Op: "list licence assignments", Where: "product " + product, Err: err,
		Hint: "see that licences.products names ids of products that the customer has, such as Google-Apps",
	}
}

// fullLicences lists the licences that somebody holds, one page for every product.
func (r *reading) fullLicences(ctx context.Context) error {
	if err := r.listLicences(ctx, r.emit); err != nil {
		return err
	}
	return r.emit(r.closing())
}

func (r *reading) listLicences(ctx context.Context, emit func(*connectors.Page) error) error {
	for _, product := range r.connector.cfg.Licences.Products {
		names, used, holders := map[string]*assignment{}, map[string]int64{}, map[uint64]bool{}
		var bad []connectors.Invalid
		restart := func() {
			clear(names)
			clear(used)
			clear(holders)
			bad = nil
		}
		seed := maphash.MakeSeed()
		entries := 0
		err := r.assignments(ctx, product, restart, func(raw json.RawMessage, a *assignment, err error) error {
			entries++
			if err != nil {
				bad = append(bad, invalid(directory.Licence, raw, "none", err, fmt.Sprintf("product %s, assignment %d", product, entries)))
				return nil
			}
			id := a.licence()
			if mark := maphash.String(seed, id+"\n"+fold(a.UserID)); !holders[mark] {
				holders[mark] = true
				used[id]++
			}
			names[id] = a
			return nil
		})
		if err != nil {
			return err
		}
		p := &connectors.Page{Invalid: bad, MayLack: r.mayLack(false)}
		for id, a := range names {
			p.Objects = append(p.Objects, licence(a, used[id]))
		}
		slices.SortFunc(p.Objects, func(a, b directory.Object) int { return strings.Compare(a.ID, b.ID) })
		if len(p.Objects)+len(p.Invalid) == 0 {
			continue
		}
		if err := emit(p); err != nil {
			return err
		}
	}
	return nil
}

// licence translates one licence. How many were bought is not known to this API.
func licence(a *assignment, used int64) directory.Object {
	o := directory.Object{Kind: directory.Licence, ID: a.licence()}
	o.SetText(directory.FieldName, firstOf(a.SKUName, a.SKUID))
	o.SetText(directory.FieldSKU, a.SKUID)
	o.SetText(directory.FieldDescription, firstOf(a.ProductName, a.ProductID))
	o.Set(directory.FieldUsed, directory.Number(used))
	return o
}

// mayLack is what people and licences can lack because a list of assignments was short. Only licences that are read now are
// meant. named: the audit log has named whom the page is about.
func (r *reading) mayLack(named bool) *connectors.MayLack {
	products := r.connector.cfg.Licences.Products
	if len(products) == 0 {
		return nil
	}
	return &connectors.MayLack{
		Link: func(l directory.Link) bool {
			product, _, ok := parseLicence(l.To)
			return ok && l.Type == directory.Holds && slices.Contains(products, product)
		},
		Counts: []string{directory.FieldUsed}, Look: r.lookForAssignments, Definite: named,
	}
}

// parseLicence reads a licence's handle.
func parseLicence(handle string) (product, sku string, ok bool) {
	id, ok := strings.CutPrefix(handle, directory.IDHandle(""))
	if ok {
		product, sku, ok = strings.Cut(id, "/")
	}
	return product, sku, ok
}

// lookForAssignments asks for people's licences one by one.
func (r *reading) lookForAssignments(ctx context.Context, lost []connectors.Lost) ([]bool, error) {
	there := make([]bool, len(lost))
	err := orderedParallel(ctx, len(lost), r.connector.cfg.Parallel, func(ctx context.Context, i int) (bool, error) {
		login, _ := lost[i].Object.Get(directory.FieldLogin)
		product, sku, ok := parseLicence(lost[i].Link.To)
		if login.Text() == "" || !ok {
			return false, errors.New("somebody has no address")
		}
		_, err := ask(ctx, "get a licence assignment", func(ctx context.Context) error {
			_, err := r.licences.LicenseAssignments.Get(product, sku, login.Text()).Context(ctx).Fields("userId,productId,skuId").Do()
			return err
		})
		if gone(err) {
			return false, nil
		}
		return err == nil, err
	}, func(i int, is bool) error {
		there[i] = is
		return nil
	})
	return there, err
}

// holdings says which licences people hold, by primary address. It takes some 20 bytes for each person: addresses
// are kept as 64-bit hashes, sets of licences once for all who hold the same.
type holdings struct {
	seed   maphash.Seed
	byMail map[uint64]int32 // place in sets; unreadableSet marks somebody whose licences are not known
	sets   [][]string
	places map[string]int32
}

// unreadableSet marks somebody of whom an assignment could not be read.
const unreadableSet = -1

// holdings reads all assignments of all products. It fails as a whole: with a part of them missing, people would
// seem to have lost licences. Nil when no licences are read.
func (r *reading) holdings(ctx context.Context) (*holdings, error) {
	products := r.connector.cfg.Licences.Products
	if len(products) == 0 {
		return nil, nil
	}
	h := &holdings{seed: maphash.MakeSeed(), byMail: map[uint64]int32{}, sets: [][]string{nil}, places: map[string]int32{"": 0}}
	for _, product := range products {
		// A listing that begins anew only adds what is there already.
		err := r.assignments(ctx, product, nil, func(raw json.RawMessage, a *assignment, bad error) error {
			if bad == nil {
				h.add(a.UserID, a.licence())
				return nil
			}
			var who struct {
				UserID string `json:"userId"`
			}
			if json.Unmarshal(raw, &who) != nil || who.UserID == "" {
				return &fault.Error{
					Class: fault.Invalid, Op: r.op, Where: "product " + product, Err: fmt.Errorf("a licence of somebody unknown: %w", bad),
					Hint: "nothing was concluded from it; without licences.products people are read without licences",
				}
			}
			h.byMail[h.mark(who.UserID)] = unreadableSet
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *holdings) mark(mail string) uint64 { return maphash.String(h.seed, fold(mail)) }

func (h *holdings) add(mail, licence string) {
	mark := h.mark(mail)
	place := h.byMail[mark]
	if place == unreadableSet || slices.Contains(h.sets[place], licence) {
		return
	}
	set := append(slices.Clone(h.sets[place]), licence)
	slices.Sort(set)
	name := strings.Join(set, "\n")
	next, ok := h.places[name]
	if !ok {
		next = int32(len(h.sets))
		h.sets = append(h.sets, set)
		h.places[name] = next
	}
	h.byMail[mark] = next
}

// of lists the licences of a user in ascending order. Assignments are by primary address; one that still names a
// former address, which is an alias now, is found as well.
func (h *holdings) of(u *user) ([]string, error) {
	if h == nil {
		return nil, nil
	}
	var list []string
	for _, mails := range [][]string{{u.PrimaryEmail}, u.Aliases} {
		for _, mail := range mails {
			place := h.byMail[h.mark(mail)]
			if place == unreadableSet {
				return nil, errors.New("one of its licences cannot be read")
			}
			list = append(list, h.sets[place]...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func sortedCopy(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
