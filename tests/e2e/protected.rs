//! Media under SRTP between real phones: keys in the descriptions (SDES).

use crate::lab::baresip::{Account, Baresip};
use crate::lab::gateway::{DOMAIN, Gateway, Setup};
use crate::lab::quiet;
use crate::lab::speech::{Speech, score};
use crate::lab::wait::{self, seconds};

const DEMANDS: &str = ";mediaenc=srtp-mand";
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

/// Protected or not, on either side, relayed and transcoded: all hear each other.
#[test]
fn every_pairing_of_plain_and_protected_phones_talks() {
    let _machine = quiet::alone();
    for (one, other, codec) in [(DEMANDS, "", "PCMA"), ("", DEMANDS, "PCMA"), (DEMANDS, DEMANDS, "G722")] {
        // A phone is called in the way that the gateway is told to call: it offers both, or demands what all have.
        let srtp = if one.is_empty() || !other.is_empty() { "srtp = \"offered\"" } else { "" };
        let srtp = if !one.is_empty() && !other.is_empty() { "srtp = \"required\"" } else { srtp };
        quiet::hearing(|| {
            let gateway = Gateway::start(&Setup::new().alice_and_bob().sip(srtp));
            let account = Account { more: one, ..Account::ALICE };
            let alice = Baresip::start(&gateway, 2, &account, &Speech::alice().wav(8_000));
            let more = if srtp.contains("offered") { ";mediaenc=srtp" } else { other };
            let account = Account { more, codecs: codec, ..Account::BOB };
            let bob = Baresip::start(&gateway, 3, &account, &Speech::bob().wav(8_000));
            gateway.await_registered("alice", 1);
            gateway.await_registered("bob", 1);
            alice.dial(&format!("sip:bob@{DOMAIN}"));
            let records = gateway.closed_records(1, seconds(40));
            for (leg, demand) in [(0, one), (1, other)] {
                let srtp = &records[0]["legs"][leg]["srtp"];
                let expected = if demand.is_empty() { serde_json::Value::Null } else { SUITE.into() };
                assert_eq!(srtp, &expected, "leg {leg}: {records:#?}");
            }
            for (phone, speech, name) in [(&alice, Speech::bob(), "bob"), (&bob, Speech::alice(), "alice")] {
                let heard = wait::until("a recording", seconds(5), || phone.heard().pop());
                let score = score(&speech.said(), &heard);
                println!("{name} said, alice{one} bob{other} {codec}: {score:?}");
                if score.mos < 3.4 {
                    return Err(format!("{score:?}"));
                }
            }
            Ok(())
        });
    }
}
