//! RTCP, whole and compound. What is read of extended reports is the same again once it is written.

use tandem::wire::rtcp::{self, Item, xr};

pub fn run(bytes: &[u8]) {
    let mut items = 0;
    let _ = rtcp::read(bytes, |item| {
        items += 1;
        if let Item::Extended { from, block } = item {
            write_back(from, block);
        }
    });
    assert!(items <= bytes.len(), "more items than bytes");
}

fn write_back(from: u32, block: xr::Block) {
    let mut room = [0; 64];
    let end = xr::write(&mut room, 0, from, &[block], 16).expect("there is room for any one block");
    let mut again = None;
    rtcp::read(&room[..end], |item| again = Some(item)).expect("what is written can be read");
    assert_eq!(again, Some(Item::Extended { from, block }));
}
