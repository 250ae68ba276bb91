//! What somebody with a browser finds.

use axum::http::header;
use axum::response::IntoResponse;

const TEXT: &str = concat!(
    "Tandem ",
    env!("CARGO_PKG_VERSION"),
    ", a gateway between telephone networks.

The console comes with a later release. What there is now:

  GET    /healthz                      the process lives
  GET    /readyz                       it can take calls; if not, why
  GET    /metrics                      for Prometheus
  GET    /sip                          SIP over WebSocket, for browsers (RFC 7118)

  With `Authorization: Bearer TOKEN` (the token is in admin.token in the data folder):
  GET    /api/v1/status
  GET    /api/v1/calls                 calls that are up, and how they sound
  GET    /api/v1/calls/{id}            one of them
  DELETE /api/v1/calls/{id}            hang up
  GET    /api/v1/rooms                 conference rooms, and who is in them
  GET    /api/v1/rooms/{name}          POST records it, or no longer: {\"record\"}
  POST   /api/v1/rooms/{name}/members/{id}  {\"mute\", \"deaf\", \"gain_db\", \"kick\"}; the id is its call's
  GET    /api/v1/cdr                   call records: ?since=2h&until=&party=&failed=true&limit=100
  GET    /api/v1/cdr/{id}              one record, by its id or a leg's Call-ID
  GET    /api/v1/users                 POST adds one: {\"name\", \"password\", \"number\", \"country\", \"display_name\"}
  DELETE /api/v1/users/{name}
  PUT    /api/v1/users/{name}/password {\"password\"}
  GET    /api/v1/users/{name}/forwarding  PATCH changes it: {\"always\", \"busy\", \"no_answer\", \"after_s\", \"do_not_disturb\"}
  GET    /api/v1/trunks
  GET    /api/v1/registrations
  GET    /api/v1/explain               ?from=alice&to=00442079460000&at=2026-11-21T09:00Z
  POST   /api/v1/reload
  POST   /api/v1/drain

The same from the command line: tandem --help
"
);

pub async fn page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], TEXT)
}
