use crate::{octets, words};
use tandem_codecs::g711;

#[test]
fn alaw_equals_g191_on_all_inputs() {
    let Some(linear) = words("g711-itu/sweep.src") else { return };
    assert_eq!(linear.len(), 65_536);
    let mut codes = vec![0; linear.len()];
    g711::encode_alaw(&linear, &mut codes);
    assert_eq!(Some(&codes), octets("g711-itu/sweep-r.a").as_ref());
    let mut decoded = vec![0; codes.len()];
    g711::decode_alaw(&codes, &mut decoded);
    assert_eq!(Some(&decoded), words("g711-itu/sweep-r.rea").as_ref());
    assert_eq!(Some(&decoded), words("g711-itu/sweep-r.a-a").as_ref());
}

#[test]
fn ulaw_equals_g191_on_all_inputs() {
    let Some(linear) = words("g711-itu/sweep.src") else { return };
    assert_eq!(linear.len(), 65_536);
    let mut codes = vec![0; linear.len()];
    g711::encode_ulaw(&linear, &mut codes);
    assert_eq!(Some(&codes), octets("g711-itu/sweep-r.u").as_ref());
    let mut decoded = vec![0; codes.len()];
    g711::decode_ulaw(&codes, &mut decoded);
    assert_eq!(Some(&decoded), words("g711-itu/sweep-r.reu").as_ref());
    assert_eq!(Some(&decoded), words("g711-itu/sweep-r.u-u").as_ref());
}
