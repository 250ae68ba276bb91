use super::*;
use crate::base::chance::Chance;
use std::collections::HashMap;

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];
const TTL: Duration = Duration::from_secs(300);

/// A zone, written as in its file: `name KIND data…`, or `name KIND fails`.
struct Zone(HashMap<(String, Kind), Result<Reply, String>>);

impl Zone {
    fn read(text: &str) -> Zone {
        let mut zone = HashMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words[at].parse().unwrap();
            let name = |at: usize| words[at].trim_end_matches('.').to_owned();
            let kind = match words[1] {
                "NAPTR" => Kind::Naptr,
                "SRV" => Kind::Srv,
                "A" => Kind::A,
                _ => Kind::Aaaa,
            };
            let key = (words[0].to_owned(), kind);
            if words[2] == "fails" {
                zone.insert(key, Err("SERVFAIL".to_owned()));
                continue;
            }
            let record = match kind {
                Kind::Naptr => Record::Naptr {
                    order: number(2),
                    preference: number(3),
                    flags: words[4].to_owned(),
                    services: words[5].to_owned(),
                    regexp: words[6].trim_matches('"').to_owned(),
                    replacement: name(7),
                },
                Kind::Srv => Record::Srv { priority: number(2), weight: number(3), port: number(4), target: name(5) },
                Kind::A | Kind::Aaaa => Record::Address(words[2].parse().unwrap()),
            };
            let reply = zone.entry(key).or_insert_with(|| Ok(Reply { records: Vec::new(), ttl: TTL }));
            reply.as_mut().unwrap().records.push(record);
        }
        Zone(zone)
    }

    /// What is found, and what was asked on the way.
    fn search(&self, target: Target, transports: &[Transport]) -> (Result<Vec<String>, String>, Vec<String>) {
        let mut search = Search::new(target, transports);
        let mut asked = Vec::new();
        while let Some(question) = search.poll_question() {
            asked.push(format!("{} {:?}", question.name, question.kind));
            let unknown = Ok(Reply { records: Vec::new(), ttl: TTL });
            let reply = self.0.get(&(question.name.clone(), question.kind)).cloned().unwrap_or(unknown);
            search.answered(&question, reply);
        }
        let found = search.outcome().expect("an end").map(|located| {
            let order = located.order(&mut Chance::from_number(1));
            order.iter().map(|way| format!("{} {}", way.transport.as_str(), way.remote)).collect()
        });
        (found, asked)
    }

    fn found(&self, host: &str) -> Result<Vec<String>, String> {
        self.search(Target::new(host, None, None), &BOTH).0
    }
}

fn port(host: &str, port: u16) -> Target {
    Target::new(host, Some(port), None)
}

fn over(host: &str, transport: Transport) -> Target {
    Target::new(host, None, Some(transport))
}

#[test]
fn the_whole_way_by_naptr() {
    let zone = Zone::read(
        "acme.example NAPTR 50 50 s SIP+D2T \"\" _sip._tcp.acme.example.
         acme.example NAPTR 90 50 s SIP+D2U \"\" _sip._udp.acme.example.
         acme.example NAPTR 10 50 s SIPS+D2T \"\" _sips._tcp.acme.example.
         acme.example NAPTR 5 50 s E2U+sip \"!^.*$!sip:x@y!\" .
         _sip._tcp.acme.example SRV 20 1 5070 two.acme.example.
         _sip._tcp.acme.example SRV 10 1 5060 one.acme.example.
         one.acme.example A 192.0.2.1
         one.acme.example AAAA 2001:db8::1
         two.acme.example A 192.0.2.2",
    );
    let (found, asked) = zone.search(Target::new("acme.example", None, None), &BOTH);
    assert_eq!(found.unwrap(), ["TCP [2001:db8::1]:5060", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5070"]);
    assert_eq!(asked[..2], ["acme.example Naptr", "_sip._tcp.acme.example Srv"]);
    assert_eq!(asked.len(), 6);
}

#[test]
fn services_of_one_order_are_tried_by_preference() {
    let zone = Zone::read(
        "acme.example NAPTR 10 20 S sip+d2u \"\" udp.acme.example.
         acme.example NAPTR 10 10 S sip+d2t \"\" tcp.acme.example.
         udp.acme.example SRV 0 0 5060 a.acme.example.
         tcp.acme.example SRV 9 0 5060 a.acme.example.
         a.acme.example A 192.0.2.1",
    );
    assert_eq!(zone.found("acme.example").unwrap(), ["TCP 192.0.2.1:5060", "UDP 192.0.2.1:5060"]);
    let (found, _) = zone.search(Target::new("acme.example", None, None), &[Transport::Udp]);
    assert_eq!(found.unwrap(), ["UDP 192.0.2.1:5060"]);
}

#[test]
fn without_naptr_the_usual_names_are_asked() {
    let zone = Zone::read(
        "_sip._udp.acme.example SRV 1 0 5060 a.acme.example.
         _sip._tcp.acme.example SRV 0 0 5060 a.acme.example.
         a.acme.example A 192.0.2.1",
    );
    assert_eq!(zone.found("acme.example").unwrap(), ["UDP 192.0.2.1:5060", "TCP 192.0.2.1:5060"]);
    let (found, asked) = zone.search(over("acme.example", Transport::Tcp), &BOTH);
    assert_eq!(found.unwrap(), ["TCP 192.0.2.1:5060"]);
    assert_eq!(asked[0], "_sip._tcp.acme.example Srv", "a transport that was asked for takes no NAPTR");
}

#[test]
fn without_srv_the_host_itself_is_asked() {
    let zone = Zone::read("acme.example A 192.0.2.1");
    assert_eq!(zone.found("acme.example").unwrap(), ["UDP 192.0.2.1:5060"]);
    assert_eq!(zone.search(over("acme.example", Transport::Tcp), &BOTH).0.unwrap(), ["TCP 192.0.2.1:5060"]);
    assert_eq!(zone.search(port("acme.example", 5080), &BOTH).0.unwrap(), ["UDP 192.0.2.1:5080"]);
    let asked = zone.search(port("acme.example", 5080), &BOTH).1;
    assert_eq!(asked, ["acme.example Aaaa", "acme.example A"], "a port takes neither NAPTR nor SRV");
}

#[test]
fn an_address_asks_nobody() {
    let zone = Zone::read("");
    for (host, found) in [("192.0.2.1", "UDP 192.0.2.1:5060"), ("2001:db8::1", "UDP [2001:db8::1]:5060")] {
        let (result, asked) = zone.search(Target::new(host, None, None), &BOTH);
        assert_eq!((result.unwrap(), asked.len()), (vec![found.to_owned()], 0));
    }
    assert_eq!(zone.search(port("[::1]", 7000), &BOTH).0.unwrap(), ["UDP [::1]:7000"]);
    assert_eq!(zone.search(over("192.0.2.1", Transport::Tcp), &BOTH).0.unwrap(), ["TCP 192.0.2.1:5060"]);
}

#[test]
fn a_service_that_is_not_offered_is_not_guessed_at() {
    let zone = Zone::read("_sip._udp.acme.example SRV 0 0 0 .\n acme.example A 192.0.2.1");
    assert_eq!(zone.found("acme.example").unwrap_err(), "its DNS says that it takes no SIP");
    let zone = Zone::read(
        "_sip._udp.acme.example SRV 0 0 0 .
         _sip._tcp.acme.example SRV 0 0 5060 acme.example.
         acme.example A 192.0.2.1",
    );
    assert_eq!(zone.found("acme.example").unwrap(), ["TCP 192.0.2.1:5060"]);
}

#[test]
fn a_failing_server_is_told_from_a_missing_record() {
    assert_eq!(Zone::read("").found("acme.example").unwrap_err(), "the name has no address");
    let zone = Zone::read("_sip._udp.acme.example SRV fails\n acme.example A 192.0.2.1");
    assert_eq!(zone.found("acme.example").unwrap_err(), "_sip._udp.acme.example: SERVFAIL");
    let zone = Zone::read("acme.example NAPTR fails\n acme.example A 192.0.2.1\n acme.example AAAA fails");
    assert_eq!(zone.found("acme.example").unwrap(), ["UDP 192.0.2.1:5060"], "what can be found is used");
    let zone = Zone::read("acme.example AAAA fails");
    assert_eq!(zone.found("acme.example").unwrap_err(), "acme.example: SERVFAIL");
}

#[test]
fn a_server_without_an_address_is_left_out() {
    let zone = Zone::read(
        "_sip._udp.acme.example SRV 0 0 5060 gone.acme.example.
         _sip._udp.acme.example SRV 1 0 5060 192.0.2.9
         _sip._udp.acme.example SRV 2 0 5060 nobody.acme.example.
         nobody.acme.example A 0.0.0.0
         nobody.acme.example A 224.0.0.1",
    );
    assert_eq!(zone.found("acme.example").unwrap(), ["UDP 192.0.2.9:5060"]);
}

#[test]
fn a_zone_without_end_is_cut_short() {
    let mut text = String::new();
    for number in 0..500 {
        text += &format!("_sip._udp.acme.example SRV {number} 0 5060 h{number}.acme.example.\n");
        for last in 1..40 {
            text += &format!("h{number}.acme.example A 10.{}.{}.{last}\n", number / 256, number % 256);
        }
    }
    let (found, asked) = Zone::read(&text).search(Target::new("acme.example", None, None), &BOTH);
    assert_eq!(found.unwrap().len(), WAYS);
    assert_eq!(asked.len(), 3 + 2 * SERVERS);
}

#[test]
fn what_is_secure_goes_by_tls_alone() {
    const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
    let zone = Zone::read(
        "acme.example NAPTR 10 10 s SIP+D2U \"\" _sip._udp.acme.example.
         acme.example NAPTR 20 10 s SIPS+D2T \"\" _sips._tcp.acme.example.
         _sip._udp.acme.example SRV 0 0 5060 a.acme.example.
         _sips._tcp.acme.example SRV 0 0 5071 a.acme.example.
         a.acme.example A 192.0.2.1",
    );
    let secure = |host: &str| Target { secure: true, ..Target::new(host, None, None) };
    assert_eq!(zone.search(secure("acme.example"), &ALL).0.unwrap(), ["TLS 192.0.2.1:5071"]);
    assert_eq!(zone.search(over("acme.example", Transport::Tls), &ALL).0.unwrap(), ["TLS 192.0.2.1:5071"]);
    assert_eq!(zone.search(Target::new("acme.example", None, None), &ALL).0.unwrap(), ["UDP 192.0.2.1:5060"]);
    let bare = Zone::read("acme.example A 192.0.2.1");
    assert_eq!(bare.search(secure("acme.example"), &ALL).0.unwrap(), ["TLS 192.0.2.1:5061"]);
    assert_eq!(bare.search(secure("192.0.2.1"), &ALL).0.unwrap(), ["TLS 192.0.2.1:5061"]);
    assert!(bare.search(secure("acme.example"), &BOTH).0.is_err());
}
