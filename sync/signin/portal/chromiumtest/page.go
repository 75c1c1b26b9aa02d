package chromiumtest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// Page is a tab. It is used by the test's goroutine only.
type Page struct {
	tb      testing.TB
	wire    *wire
	session string
	loads   *loads
}

func (p *Page) do(method string, params any) {
	p.tb.Helper()
	call[struct{}](p.tb, p.wire, p.session, method, params)
}

// Open goes to an address. It returns when the browser has gone there, or on to where it is sent; the page may still load.
func (p *Page) Open(address string) {
	p.tb.Helper()
	if failed := call[struct{ ErrorText string }](p.tb, p.wire, p.session, "Page.navigate", arg{"url": address}).ErrorText; failed != "" {
		p.tb.Fatalf("%s: %s", address, failed)
	}
}

// Until waits until an expression of JavaScript is true of a page that has loaded: of the one that is there, or of a later one.
func (p *Page) Until(expression string) {
	p.tb.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		_, more := p.loads.now()
		// While the browser goes on to another page there is none to be asked; that one's end of loading is still to come.
		if result, err := p.ask("document.readyState === 'complete' && (" + expression + ")"); err == nil && result == true {
			return
		}
		select {
		case <-more:
		case <-p.wire.ended:
			p.tb.Fatal("the browser has ended")
		case <-timeout.C:
			p.tb.Fatalf("waited in vain until %s, at %s", expression, p.shown())
		}
	}
}

// shown is the page as text, for messages.
func (p *Page) shown() string {
	text, err := p.ask("location.href + '\\n' + document.title + '\\n' + document.body.innerText.slice(0, 3000)")
	return fmt.Sprint(text, err)
}

// ask evaluates an expression, or the promise that it is, with errors.
func (p *Page) ask(expression string) (any, error) {
	text, err := p.wire.command(p.session, "Runtime.evaluate", arg{"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	if e := answer.ExceptionDetails; e != nil {
		return nil, fmt.Errorf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	return answer.Result.Value, nil
}

// Eval evaluates an expression on a page that stays: a number is a float64, and what is nothing is nil.
func (p *Page) Eval(expression string) any {
	p.tb.Helper()
	value, err := p.ask(expression)
	if err != nil {
		p.tb.Fatalf("%v, at %s", err, p.shown())
	}
	return value
}

// Text evaluates an expression that is text.
func (p *Page) Text(expression string) string {
	p.tb.Helper()
	text, ok := p.Eval(expression).(string)
	if !ok {
		p.tb.Fatalf("%s is no text, at %s", expression, p.shown())
	}
	return text
}

// Click clicks the middle of the first element that a selector finds, with the mouse.
func (p *Page) Click(selector string) {
	p.tb.Helper()
	at, ok := p.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect();
		return {x: r.x + r.width / 2, y: r.y + r.height / 2} })()`, selector)).(map[string]any)
	if !ok {
		p.tb.Fatalf("%s is nowhere, at %s", selector, p.shown())
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.do("Input.dispatchMouseEvent", arg{"type": kind, "x": at["x"], "y": at["y"], "button": "left", "clickCount": 1})
	}
}

// Press presses and releases a key: Tab or Enter.
func (p *Page) Press(key string) {
	p.tb.Helper()
	down := arg{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": map[string]int{"Tab": 9, "Enter": 13}[key]}
	if key == "Enter" {
		down["text"] = "\r"
	}
	p.do("Input.dispatchKeyEvent", down)
	down["type"] = "keyUp"
	delete(down, "text")
	p.do("Input.dispatchKeyEvent", down)
}

// Type types text into what has the focus.
func (p *Page) Type(text string) {
	p.tb.Helper()
	p.do("Input.insertText", arg{"text": text})
}

// Size makes the tab as wide as a phone's or a desk's, in CSS pixels.
func (p *Page) Size(width, height int, phone bool) {
	p.tb.Helper()
	p.do("Emulation.setDeviceMetricsOverride", arg{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone})
	p.media(fmt.Sprintf("(width: %dpx)", width))
}

// media waits until a media query is true of the page.
func (p *Page) media(query string) {
	p.tb.Helper()
	p.Eval(fmt.Sprintf("new Promise(is => { const m = matchMedia(%q); m.matches ? is(true) : m.addEventListener('change', () => is(true)) })", query))
}

// Prefer is what somebody prefers of colours: light or dark.
func (p *Page) Prefer(scheme string) {
	p.tb.Helper()
	p.do("Emulation.setEmulatedMedia", arg{"features": []arg{{"name": "prefers-color-scheme", "value": scheme}}})
	p.media("(prefers-color-scheme: " + scheme + ")")
}

// Language is what somebody reads, such as de.
func (p *Page) Language(language string) {
	p.tb.Helper()
	p.do("Emulation.setUserAgentOverride", arg{"userAgent": p.Text("navigator.userAgent"), "acceptLanguage": language})
}

// Complaints are what the browser has said of the pages' own policies, such as a style that their Content-Security-Policy forbids.
func (p *Page) Complaints() []string {
	p.loads.mu.Lock()
	defer p.loads.mu.Unlock()
	return append([]string(nil), p.loads.complaints...)
}

// Contrast is the least of the page between a text and what is behind it, as WCAG 2.2 defines it (1.4.3 wants 4.5); 0 where there is no text.
func (p *Page) Contrast() float64 {
	p.tb.Helper()
	least, _ := p.Eval(contrast).(float64)
	return least
}

const contrast = `(() => {
	const parts = text => text.match(/[\d.]+/g).map(Number)
	const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
	const behind = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c } return [255, 255, 255] }
	return Math.min(...[...document.querySelectorAll('h1, h2, p, a, button, span, strong, label, td, th, dt, dd')].map(e => {
		const [a, b] = [luminance(parts(getComputedStyle(e).color)), luminance(behind(e))].sort((x, y) => y - x)
		return (a + 0.05) / (b + 0.05)
	}))
})()`
