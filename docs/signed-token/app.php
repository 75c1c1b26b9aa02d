<?php
// A small application into which people come by the signed token of dirsyncd. PHP 8.0 or newer with its extension openssl.
//
//     AUTH=https://auth.example.com APP=shop PEOPLE=people.json DATA=/var/lib/shop php -S 127.0.0.1:8080 app.php
//
// A start for an application of your own: keep the functions from verify() to fetch_keys() and what /login, /sso and /signed-out do, and
// replace the rest. people.json says whom the application knows, by the key of the record: {"hq-entra/0d1f…": "Ann"}. DATA is a folder that
// only this application reads. KEYS is where the keys are fetched, if not at AUTH/auth/keys. TLS is the work of the web server.
declare(strict_types=1);

const SKEW = 60;            // seconds that our clock and that of dirsyncd may differ
const KEYS_LIFE = 3600;
const KEYS_EVERY = 300;     // an unknown kid makes us fetch no more often
const REMEMBERED = 86400;   // a nonce
const LOGIN_LIFE = 900;
const SESSION_LIFE = 28800;
const MAX_FORM = 16384;
// What a logout token is about (OpenID Connect Back-Channel Logout 1.0, section 2.4).
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Why a token is not taken. */
class Refused extends Exception {}

/** Checks a token that somebody brings, against the nonce that belongs to this browser. */
function sign_in(string $token, string $nonce): array
{
    $claims = verify($token);
    if (isset($claims['events'])) {
        throw new Refused('it is no token to sign in with');
    }
    if ($nonce === '' || !is_string($claims['nonce'] ?? null) || !hash_equals($nonce, $claims['nonce'])) {
        throw new Refused('the nonce is not that of this browser');
    }
    if (!once('jti ' . $claims['jti'], $claims['exp'])) {
        throw new Refused('the token was used already');
    }
    if (!once('nonce ' . $nonce, time() + REMEMBERED)) {
        throw new Refused('the nonce was used already');
    }
    return $claims;
}

/**
 * Checks a token that says that somebody has signed out. One that comes again ends nothing more, and is no error: dirsyncd may not have seen
 * the first answer.
 */
function logout(string $token): array
{
    $claims = verify($token);
    if (!is_array($claims['events'] ?? null) || !isset($claims['events'][LOGOUT_EVENT]) || isset($claims['nonce'])) {
        throw new Refused('it is no logout token');
    }
    return $claims;
}

/** Checks all that is the same for both. */
function verify(string $token): array
{
    $parts = explode('.', $token);
    if (count($parts) !== 3) {
        throw new Refused('not three parts');
    }
    $header = decoded($parts[0]);
    if (($header['alg'] ?? null) !== 'ES256' || array_key_exists('crit', $header)) {
        throw new Refused('signed otherwise than by ES256'); // never what the token says
    }
    $key = key_of($header['kid'] ?? null);
    $signature = unbase64($parts[2]);
    if (strlen($signature) !== 64 || openssl_verify($parts[0] . '.' . $parts[1], der($signature), $key, OPENSSL_ALGO_SHA256) !== 1) {
        throw new Refused('the signature is wrong');
    }
    $claims = decoded($parts[1]);
    foreach (['iss', 'aud', 'sub', 'jti'] as $name) {
        if (!is_string($claims[$name] ?? null) || $claims[$name] === '') {
            throw new Refused("$name is missing or no text");
        }
    }
    if (!is_int($claims['iat'] ?? null) || !is_int($claims['exp'] ?? null)) {
        throw new Refused('iat or exp is missing or no number');
    }
    if ($claims['iss'] !== getenv('AUTH')) {
        throw new Refused('from another issuer');
    }
    if ($claims['aud'] !== getenv('APP')) {
        throw new Refused('for another application');
    }
    if (time() >= $claims['exp']) {
        throw new Refused('it has run out');
    }
    if (abs(time() - $claims['iat']) > SKEW) {
        throw new Refused('it was not made just now: do the clocks agree?');
    }
    return $claims;
}

function unbase64(string $text): string
{
    $data = base64_decode(strtr($text, '-_', '+/'), true);
    if ($data === false || rtrim(strtr(base64_encode($data), '+/', '-_'), '=') !== $text) {
        throw new Refused('not base64url');
    }
    return $data;
}

function decoded(string $part): array
{
    $value = json_decode(unbase64($part), true, 16);
    if (!is_array($value)) {
        throw new Refused('not the JSON of a token');
    }
    return $value;
}

/** A signature of JWS is two numbers of 32 bytes (RFC 7518, 3.4); OpenSSL wants them as DER. */
function der(string $signature): string
{
    $numbers = '';
    foreach (str_split($signature, 32) as $number) {
        $number = ltrim($number, "\0");
        if ($number === '' || ord($number[0]) > 0x7f) {
            $number = "\0" . $number;
        }
        $numbers .= "\x02" . chr(strlen($number)) . $number;
    }
    return "\x30" . chr(strlen($numbers)) . $numbers;
}

/** Reports whether something was not used before, and remembers it: of many processes, one makes the file, which is there with its time at once. */
function once(string $what, int $until): bool
{
    foreach (glob(data('once') . '/*') ?: [] as $file) {
        if (@filemtime($file) < time()) { // its time is when it may be forgotten
            @unlink($file);
        }
    }
    $fresh = tempnam(data(''), 'once');
    touch($fresh, $until);
    $made = @link($fresh, data('once') . '/' . hash('sha256', $what));
    unlink($fresh);
    return $made;
}

/** Returns the key with an id. Keys are kept for an hour; an unknown id makes us fetch them again, at most once in five minutes. */
function key_of(mixed $kid): string
{
    $file = data('') . '/keys.json';
    $kept = json_decode((string) @file_get_contents($file), true) ?: ['at' => 0, 'keys' => []];
    $age = time() - $kept['at'];
    if ($age >= KEYS_LIFE || $age >= KEYS_EVERY && !isset($kept['keys'][$kid])) {
        $kept = ['at' => time(), 'keys' => fetch_keys()];
        $fresh = tempnam(data(''), 'keys');
        file_put_contents($fresh, json_encode($kept, JSON_THROW_ON_ERROR));
        rename($fresh, $file);
    }
    if (!is_string($kid) || !isset($kept['keys'][$kid])) {
        throw new Refused('no published key has the kid');
    }
    return $kept['keys'][$kid];
}

/** Gets the published keys (RFC 7517), as PEM by id. */
function fetch_keys(): array
{
    $context = stream_context_create(['http' => ['timeout' => 10, 'follow_location' => 0]]);
    $published = json_decode((string) file_get_contents(getenv('KEYS') ?: getenv('AUTH') . '/auth/keys', false, $context, 0, 65536), true);
    if (!is_array($published['keys'] ?? null)) {
        throw new Exception('the keys cannot be fetched');
    }
    $keys = [];
    foreach ($published['keys'] as $k) {
        if (($k['kty'] ?? '') === 'EC' && ($k['crv'] ?? '') === 'P-256' && is_string($k['kid'] ?? null)) {
            // A public key of P-256 as DER (RFC 5480): this, and the point.
            $der = hex2bin('3059301306072a8648ce3d020106082a8648ce3d030107034200') . "\x04" . unbase64($k['x']) . unbase64($k['y']);
            $keys[$k['kid']] = "-----BEGIN PUBLIC KEY-----\n" . chunk_split(base64_encode($der), 64, "\n") . "-----END PUBLIC KEY-----\n";
        }
    }
    return $keys;
}

function data(string $folder): string
{
    $path = rtrim(getenv('DATA') . '/' . $folder, '/');
    is_dir($path) || @mkdir($path, 0700, true);
    return $path;
}

function digest(string $text): string
{
    return rtrim(strtr(base64_encode(hash('sha256', $text, true)), '+/', '-_'), '=');
}

function session_file(string $cookie): string
{
    return data('sessions') . '/' . hash('sha256', $cookie) . '.json';
}

function answer(int $status, string $text = '', string $location = ''): void
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    if ($location !== '') {
        header('Location: ' . $location, true, $status);
    }
    echo $text;
}

function cookie(string $name, string $value, int $expires, string $site): void
{
    setcookie($name, $value, ['expires' => $expires, 'path' => '/', 'secure' => true, 'httponly' => true, 'samesite' => $site]);
}

/** Names by the key of the record: nothing else says who somebody is. */
function people(): array
{
    return json_decode((string) file_get_contents((string) getenv('PEOPLE')), true, 4, JSON_THROW_ON_ERROR);
}

function home(): void
{
    $session = json_decode((string) @file_get_contents(session_file((string) ($_COOKIE['__Host-session'] ?? ''))), true);
    if (is_array($session) && time() < $session['ends']) {
        answer(200, 'Hello ' . htmlspecialchars(people()[$session['sub']]));
    } else {
        answer(401, '<a href="/login">Sign in</a>');
    }
}

/**
 * Sends the browser away with a nonce that only this browser can bring back. The token comes by a POST from another site, with which browsers
 * send no cookie but one with SameSite=None.
 */
function login(): void
{
    $secret = bin2hex(random_bytes(32));
    cookie('__Host-login', $secret, time() + LOGIN_LIFE, 'None');
    answer(303, '', getenv('AUTH') . '/auth/start?' . http_build_query(['app' => getenv('APP'), 'rd' => '/', 'nonce' => digest($secret)]));
}

/** Takes the token. */
function enter(): void
{
    $secret = (string) ($_COOKIE['__Host-login'] ?? '');
    if ($secret === '') {
        answer(400, 'begin again at /login');
        return;
    }
    $claims = sign_in((string) ($_POST['token'] ?? ''), digest($secret));
    if (!isset(people()[$claims['sub']])) { // by sub alone: names and addresses change hands
        answer(403, 'you have no account here');
        return;
    }
    $fresh = bin2hex(random_bytes(32)); // a fresh session: what the browser had before is not used again
    file_put_contents(session_file($fresh), json_encode(['sub' => $claims['sub'], 'sid' => $claims['sid'] ?? '', 'ends' => time() + SESSION_LIFE]));
    cookie('__Host-login', '', 1, 'None');
    cookie('__Host-session', $fresh, 0, 'Lax');
    answer(303, '', '/');
}

/** The logout_url: dirsyncd says that somebody has signed out, or has no access any more. */
function signed_out(): void
{
    $claims = logout((string) ($_POST['logout_token'] ?? ''));
    foreach (glob(data('sessions') . '/*.json') ?: [] as $file) {
        $session = json_decode((string) @file_get_contents($file), true);
        if (is_array($session) && $session['sub'] === $claims['sub'] && in_array($claims['sid'] ?? $session['sid'], [$session['sid']], true)) {
            unlink($file);
        }
    }
    answer(200);
}

if (PHP_SAPI !== 'cli') {
    $path = $_SERVER['REQUEST_METHOD'] . ' ' . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    try {
        if ((int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > MAX_FORM) {
            answer(400, 'the form is too large');
        } else {
            match ($path) {
                'GET /' => home(),
                'GET /login' => login(),
                'POST /sso' => enter(),
                'POST /signed-out' => signed_out(),
                default => answer(404),
            };
        }
    } catch (Refused $why) {
        error_log('refused: ' . $why->getMessage());
        answer($path === 'POST /sso' ? 403 : 400, 'the token is not good');
    }
}
