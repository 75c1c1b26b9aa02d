package portal

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"

	"golang.org/x/text/language"

	"dirsyncd/sync/signin"
)

//go:embed pages
var pages embed.FS

// templates are the pages by language. They have no script, but the one that posts.
var templates = map[string]*template.Template{
	"en": template.Must(template.ParseFS(pages, "pages/frame.html", "pages/en.html")),
	"de": template.Must(template.ParseFS(pages, "pages/frame.html", "pages/de.html")),
}

var languages = language.NewMatcher([]language.Tag{language.English, language.German}) //nolint:gochecknoglobals // never changed

// languageOf returns what the browser would rather read.
func languageOf(r *http.Request) string {
	const longest = 200
	accept := r.Header.Get("Accept-Language")
	if len(accept) > longest {
		accept = ""
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return "en"
	}
	if _, i, _ := languages.Match(tags...); i == 1 {
		return "de"
	}
	return "en"
}

// page shows one of our pages.
func (p *Portal) page(w http.ResponseWriter, r *http.Request, status int, name string, data map[string]any) {
	if data == nil {
		data = make(map[string]any)
	}
	lang := languageOf(r)
	data["Lang"] = lang
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	if err := templates[lang].ExecuteTemplate(w, name, data); err != nil {
		p.Log.Debug("a page was not shown to its end", "page", name, "err", err)
	}
}

// post is the page that posts a form to another host: by itself, or by a button where scripts do not run. Whoever takes the form may send the browser on to hosts
// of their own, and Chromium stops that, too, where `form-action` does not name them.
func (p *Portal) post(w http.ResponseWriter, r *http.Request, to signin.To) {
	u, err := url.Parse(to.URL)
	if err != nil {
		p.fault(w, r, err)
		return
	}
	nonce := random()
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'nonce-"+nonce+"'; form-action https: "+u.Scheme+"://"+u.Host+"; frame-ancestors 'none'; base-uri 'none'")
	fields := make(map[string]string, len(to.Form))
	for name := range to.Form {
		fields[name] = to.Form.Get(name)
	}
	p.page(w, r, http.StatusOK, "post", map[string]any{"URL": to.URL, "Fields": fields, "ScriptNonce": nonce, "Host": u.Host})
}

// goOn sends the browser to another host. What answers a form of ours is a page that goes on by itself (Refresh): under `form-action 'self'` Chromium
// stops a form whose answer leads elsewhere, by whichever of its redirects.
func (p *Portal) goOn(w http.ResponseWriter, r *http.Request, address string) {
	if r.Method != http.MethodPost {
		http.Redirect(w, r, address, http.StatusSeeOther)
		return
	}
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = u.Host
	}
	w.Header().Set("Refresh", "0; url="+address)
	p.page(w, r, http.StatusOK, "onward", map[string]any{"URL": address, "Host": host})
}

func (p *Portal) style(w http.ResponseWriter, _ *http.Request) {
	data, err := pages.ReadFile("pages/style.css")
	if err != nil {
		http.Error(w, "no style", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(data)
}
