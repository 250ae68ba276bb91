use super::*;
use std::time::Instant;

#[path = "../../../tests/e2e/lab/dns.rs"]
#[allow(dead_code, clippy::disallowed_types, reason = "a server of the end-to-end tests, on loopback")]
mod dns;

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

struct Desk {
    dns: dns::Dns,
    resolver: Resolver,
}

impl Desk {
    fn new(zone: &str) -> Desk {
        let dns = dns::Dns::start([127, 0, 0, 1].into());
        dns.set(zone);
        let mut settings = Settings::default();
        settings.sip.dns = vec![dns.address];
        Desk { resolver: Resolver::open(&settings), dns }
    }

    async fn find(&self, host: &str) -> Result<Vec<String>, String> {
        let located = self.resolver.locate(&Target::new(host, None, None), &BOTH).await?;
        Ok(located.ways().map(|way| format!("{} {}", way.transport.as_str(), way.remote)).collect())
    }
}

#[tokio::test]
async fn the_whole_way_over_the_wire() {
    let desk = Desk::new(
        "acme.example 60 NAPTR 10 10 s SIP+D2T _sip._tcp.acme.example
         acme.example 60 NAPTR 20 10 s SIP+D2U _sip._udp.acme.example
         _sip._tcp.acme.example 60 SRV 20 1 5070 two.acme.example
         _sip._tcp.acme.example 60 SRV 10 1 5060 one.acme.example
         one.acme.example 60 A 192.0.2.1
         one.acme.example 60 AAAA 2001:db8::1
         two.acme.example 60 A 192.0.2.2",
    );
    let found = desk.find("acme.example").await.unwrap();
    assert_eq!(found, ["TCP [2001:db8::1]:5060", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070"]);
    let asked = desk.dns.asked();
    desk.find("acme.example").await.unwrap();
    assert_eq!(desk.dns.asked(), asked, "what is known isn't asked again");
    desk.dns.be_silent(true);
    assert_eq!(desk.find("acme.example").await.unwrap(), found);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_an_error_and_addresses_ask_nobody() {
    let desk = Desk::new("");
    let why = desk.find("gone.example").await.unwrap_err();
    assert_eq!(why, "looking up gone.example: the name has no address");
    let asked = desk.dns.asked();
    assert_eq!(desk.find("192.0.2.7").await.unwrap(), ["UDP 192.0.2.7:5060"]);
    assert_eq!(desk.find("localhost").await.unwrap().last().unwrap(), "UDP 127.0.0.1:5060");
    assert!(desk.dns.asked() <= asked + 4);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let desk = Desk::new("");
    desk.dns.be_silent(true);
    #[expect(clippy::disallowed_methods, reason = "a test of how long it takes")]
    let begun = Instant::now();
    assert!(desk.find("acme.example").await.unwrap_err().starts_with("looking up acme.example: "));
    assert!(begun.elapsed() < SEARCH_LIMIT + Duration::from_secs(2));
}

/// Advisories of peers: names that lead in a circle, and answers larger than a datagram, cost neither time nor memory.
#[tokio::test]
async fn a_circle_of_names_and_a_flood_of_records_end_soon() {
    let flood: String = (0..900).map(|n| format!("flood.example 60 A 10.1.{}.{}\n", n / 250, n % 250)).collect();
    let circle: String = (0..40).map(|n| format!("n{n}.example 60 CNAME n{}.example\n", (n + 1) % 40)).collect();
    let desk = Desk::new(&format!("{flood}{circle}self.example 60 CNAME self.example\n"));
    #[expect(clippy::disallowed_methods, reason = "a test of how long it takes")]
    let begun = Instant::now();
    for name in ["self.example", "n0.example"] {
        assert!(desk.find(name).await.is_err(), "{name}");
    }
    // What doesn't fit into a datagram is cut, or not there for whoever asks over UDP alone.
    let found = desk.find("flood.example").await.map_or(0, |found| found.len());
    assert!(found <= 64, "{found} addresses");
    assert!(begun.elapsed() < 3 * (SEARCH_LIMIT + Duration::from_secs(2)), "{:?}", begun.elapsed());
    assert!(desk.dns.asked() < 300, "{} questions", desk.dns.asked());
}
