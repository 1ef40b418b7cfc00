#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// A packet of the board's side, with an id of 64 bits.
fn from_board(kind: u32, id: u64, body: &[u8]) -> Vec<u8> {
    packet(kind, id, body, &[])
}

fn read_one(bytes: &[u8]) -> Packet {
    let mut rest = bytes;
    let packet = read(&mut rest).unwrap();
    assert!(rest.is_empty(), "all of it is read");
    packet
}

#[test]
fn a_hello_has_a_short_id_and_says_what_is_needed() {
    let bytes = hello();
    assert_eq!(bytes.len(), 12 + 64 + 4);
    assert_eq!(bytes[..12], [0, 0, 0, 0, 68, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[76..], [0x72, 0, 0, 0]);
    read_hello(&mut &bytes[..]).unwrap();
}

#[test]
fn another_side_that_can_do_less_is_refused() {
    let mut old = hello();
    old[76] = 0x12;
    assert!(read_hello(&mut &old[..]).is_err());
    assert!(read_hello(&mut &hello()[..40]).is_err());
    assert!(read_hello(&mut &disconnect()[..]).is_err());
}

#[test]
fn a_transfer_that_reads_is_understood_and_answered() {
    let setup = Setup { request_type: 0xA1, request: 0x81, value: 0x0100, index: 1, length: 26 };
    let body = [0x80, 0x81, 0xA1, 0, 0x00, 0x01, 1, 0, 26, 0];
    let read = read_one(&from_board(CONTROL, 7, &body));
    assert_eq!(read, Packet { id: 7, wanted: Wanted::Control { setup, data: Vec::new() } });
    let answer = control(7, setup, Status::Success, &[9, 8, 7]);
    assert_eq!(answer[..16], [100, 0, 0, 0, 13, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answer[16..], [0x80, 0x81, 0xA1, 0, 0, 1, 1, 0, 3, 0, 9, 8, 7]);
}

#[test]
fn a_transfer_that_writes_brings_its_bytes_and_is_taken_whole() {
    let setup = Setup { request_type: 0x21, request: 1, value: 0x0200, index: 1, length: 2 };
    let body = [0, 1, 0x21, 0, 0x00, 0x02, 1, 0, 2, 0, 5, 6];
    let read = read_one(&from_board(CONTROL, 8, &body));
    assert_eq!(read.wanted, Wanted::Control { setup, data: vec![5, 6] });
    let answer = control(8, setup, Status::Stall, &[]);
    assert_eq!(answer[16..], [0, 1, 0x21, 4, 0, 2, 1, 0, 2, 0]);
}

#[test]
fn lengths_of_bulk_transfers_have_32_bits() {
    let read = read_one(&from_board(BULK_DATA, u64::MAX, &[0x81, 0, 0, 0x40, 0, 0, 0, 0, 1, 0]));
    let asked = BulkIn { endpoint: 0x81, stream: 0, bytes: 0x1_4000 };
    assert_eq!(read, Packet { id: u64::MAX, wanted: Wanted::Bulk(asked) });
    let answer = bulk(u64::MAX, asked, Status::Success, &[1; 0x1_0002]);
    assert_eq!(answer[4..8], (0x1_0002_u32 + 10).to_le_bytes());
    assert_eq!(answer[16..26], [0x81, 0, 2, 0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn the_endpoint_is_announced_where_the_emulator_looks_for_it() {
    let device = Device {
        class: [0xEF, 2, 1],
        vendor: 0x1D6B,
        product: 0x0102,
        version: 0x0100,
        interfaces: [[14, 1, 0], [14, 2, 0]],
        endpoint: 0x81,
        endpoint_interface: 1,
        packet_bytes: 512,
    };
    let bytes = connect(&device);
    let (interfaces, rest) = bytes.split_at(16 + 4 + 4 * 32);
    assert_eq!(interfaces[16..22], [2, 0, 0, 0, 0, 1]);
    assert_eq!(interfaces[16 + 4 + 64..][..2], [1, 2], "subclasses");
    let (endpoints, itself) = rest.split_at(16 + 3 * 32 + 64);
    assert_eq!(
        endpoints[16..34],
        [0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 2]
    );
    assert_eq!(endpoints[16 + 64 + 17], 1, "its interface");
    assert_eq!(endpoints[16 + 96 + 34..][..2], [0, 2], "bytes of a packet");
    assert_eq!(itself[16..], [2, 0xEF, 2, 1, 0x6B, 0x1D, 2, 1, 0, 1]);
}

#[test]
fn no_bytes_from_outside_cost_memory_or_panic() {
    for length in [MAX_PACKET_BYTES + 1, u32::MAX] {
        let long = [CONTROL.to_le_bytes(), length.to_le_bytes(), [0; 4], [0; 4]].concat();
        assert!(read(&mut &long[..]).is_err());
    }
    for kind in [SET_CONFIGURATION, SET_INTERFACE, GET_INTERFACE, CONTROL, BULK_DATA] {
        assert!(read(&mut &from_board(kind, 1, &[])[..]).is_err(), "{kind}");
    }
    assert_eq!(read_one(&from_board(99, 1, &[1, 2, 3])).wanted, Wanted::Nothing);
    assert!(read(&mut &[][..]).is_err());
}
