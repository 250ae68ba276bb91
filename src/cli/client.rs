//! Asks the running gateway over its HTTP API.

use super::outcome::Failure;
use super::screen;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tandem::admin::token;
use tandem::config::settings::Settings;
use ureq::Agent;
use ureq::Body;
use ureq::http::Response;

/// Longer than the gateway lets a request take.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Room for ten thousand records with all their legs.
const ANSWER_BYTES: u64 = 256 << 20;

pub struct Client {
    agent: Agent,
    address: SocketAddr,
    authorization: String,
}

/// What the gateway said.
pub enum Reply {
    Yes(Value),
    /// It understood, and refused.
    No(Refused),
}

pub struct Refused {
    pub error: String,
    pub mend: String,
    pub problems: Vec<String>,
}

/// A way in to the API, given to `Client` methods.
pub enum Request<'a> {
    Get(&'a str, &'a [(&'a str, String)]),
    Post(&'a str, Value),
    Put(&'a str, Value),
    Patch(&'a str, Value),
    Delete(&'a str),
}

impl Client {
    /// The gateway that runs with these settings, on this machine.
    pub fn new(settings: &Settings) -> Result<Client, Failure> {
        let address = tandem::admin::reachable(settings.http.listen);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .build();
        let token = token::read(&settings.data)?;
        Ok(Client { agent: config.into(), address, authorization: format!("Bearer {token}") })
    }

    /// Asks, and says what was answered.
    pub fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let response = self.send(request).map_err(|error| self.no_answer(&error))?;
        let status = response.status().as_u16();
        let value = response
            .into_body()
            .into_with_config()
            .limit(ANSWER_BYTES)
            .read_json::<Value>()
            .map_err(|error| self.strange(status, &error.to_string()))?;
        match status {
            200..=299 => Ok(Reply::Yes(value)),
            404 | 409 | 422 => Ok(Reply::No(Refused::from(&value))),
            _ => {
                let Refused { error, mend, .. } = Refused::from(&value);
                Err(Failure::new(format_args!("http://{} answers {status}: {error}; {mend}", self.address)))
            }
        }
    }

    fn send(&self, request: Request) -> Result<Response<Body>, ureq::Error> {
        let url = |path: &str| format!("http://{}/api/v1/{path}", self.address);
        match request {
            Request::Get(path, query) => {
                let query = query.iter().map(|(name, value)| (*name, value.as_str()));
                self.agent.get(url(path)).header("Authorization", &self.authorization).query_pairs(query).call()
            }
            Request::Post(path, body) => {
                self.agent.post(url(path)).header("Authorization", &self.authorization).send_json(body)
            }
            Request::Put(path, body) => {
                self.agent.put(url(path)).header("Authorization", &self.authorization).send_json(body)
            }
            Request::Patch(path, body) => {
                self.agent.patch(url(path)).header("Authorization", &self.authorization).send_json(body)
            }
            Request::Delete(path) => self.agent.delete(url(path)).header("Authorization", &self.authorization).call(),
        }
    }

    fn no_answer(&self, error: &ureq::Error) -> Failure {
        Failure::new(format_args!(
            "no gateway answers at http://{}: {error}; start it with `tandem run`, or name its configuration with --config",
            self.address
        ))
    }

    fn strange(&self, status: u16, error: &str) -> Failure {
        Failure::new(format_args!(
            "http://{} answers {status} and no JSON ({error}); see that `listen` of [http] is the gateway's and no other program's",
            self.address
        ))
    }
}

impl Refused {
    /// Says so beside the output.
    pub fn complain(&self) {
        let mut lines = vec![format!("{}; {}", self.error, self.mend)];
        lines.extend(self.problems.iter().cloned());
        screen::complain(&Failure { lines });
    }
}

impl From<&Value> for Refused {
    fn from(value: &Value) -> Refused {
        let text = |field: &str| value[field].as_str().unwrap_or("-").to_owned();
        let problems = value["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
        let problems = problems.iter().filter_map(|problem| problem.as_str().map(str::to_owned)).collect();
        Refused { error: text("error"), mend: text("mend"), problems }
    }
}

/// What may stand between two slashes (RFC 3986 §3.3), all else escaped.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_reached_over_loopback() {
        assert_eq!(tandem::admin::reachable("0.0.0.0:8080".parse().unwrap()).to_string(), "127.0.0.1:8080");
        assert_eq!(tandem::admin::reachable("[::]:8080".parse().unwrap()).to_string(), "[::1]:8080");
        assert_eq!(tandem::admin::reachable("192.0.2.1:80".parse().unwrap()).to_string(), "192.0.2.1:80");
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("a/../b?c@d"), "a%2F..%2Fb%3Fc%40d");
    }
}
