//! Packets of the usbredir protocol as the side that has the device writes and reads them. Numbers are little-endian.
//!
//! Both sides say what they can do first. The emulator's newest USB controller insists on [`CAPABILITIES`], and they decide the sizes of
//! headers, so another side that lacks one of them is refused.

use std::io::{self, Read};

/// Version bytes of a hello.
const VERSION_BYTES: usize = 64;
/// `connect_device_version`, `ep_info_max_packet_size`, `64bits_ids` and `32bits_bulk_length`.
const CAPABILITIES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;
/// Longest packet that is read; a USB transfer to the device has at most this.
const MAX_PACKET_BYTES: u32 = 1 << 16;
/// Endpoints, or interfaces, that a table has room for.
const TABLE: usize = 32;
/// Marks an endpoint that does not exist.
const NO_ENDPOINT: u8 = 255;
/// The kind of an endpoint.
const BULK: u8 = 2;
const HIGH_SPEED: u8 = 2;

const HELLO: u32 = 0;
const DEVICE_CONNECT: u32 = 1;
const DEVICE_DISCONNECT: u32 = 2;
const INTERFACE_INFO: u32 = 4;
const ENDPOINT_INFO: u32 = 5;
const SET_CONFIGURATION: u32 = 6;
const GET_CONFIGURATION: u32 = 7;
const CONFIGURATION_STATUS: u32 = 8;
const SET_INTERFACE: u32 = 9;
const GET_INTERFACE: u32 = 10;
const INTERFACE_STATUS: u32 = 11;
const CANCEL: u32 = 21;
const CONTROL: u32 = 100;
const BULK_DATA: u32 = 101;

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    /// As it was asked for.
    Success = 0,
    /// It was taken back.
    Cancelled = 1,
    /// The device refused.
    Stall = 4,
}

/// First bytes of a control transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) request_type: u8,
    pub(super) request: u8,
    pub(super) value: u16,
    pub(super) index: u16,
    pub(super) length: u16,
}

impl Setup {
    /// Whether the device is to answer with bytes.
    pub(super) fn reads(self) -> bool {
        self.request_type & 0x80 != 0
    }
}

/// Asks for bytes of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BulkIn {
    pub(super) endpoint: u8,
    pub(super) stream: u32,
    /// Most that may be given.
    pub(super) bytes: usize,
}

/// What the board's side wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    SetConfiguration(u8),
    GetConfiguration,
    SetInterface {
        interface: u8,
        setting: u8,
    },
    GetInterface {
        interface: u8,
    },
    Control {
        setup: Setup,
        /// What is written to the device.
        data: Vec<u8>,
    },
    Bulk(BulkIn),
    /// The packet of the same number is no longer wanted; it is answered once, as each is.
    Cancel,
    /// A reset, which needs no answer, and what a device of bulk endpoints is never asked.
    Nothing,
}

/// A packet from the board's side.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Names it in the answer.
    pub(super) id: u64,
    pub(super) wanted: Wanted,
}

/// What the other side is told of a device before it looks for itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device {
    /// Class, subclass and protocol.
    pub(super) class: [u8; 3],
    pub(super) vendor: u16,
    pub(super) product: u16,
    pub(super) version: u16,
    /// Class, subclass and protocol of each interface.
    pub(super) interfaces: [[u8; 3]; 2],
    /// Its only endpoint beside 0, for bulk transfers to the board.
    pub(super) endpoint: u8,
    /// The interface it belongs to.
    pub(super) endpoint_interface: u8,
    pub(super) packet_bytes: u16,
}

/// The first packet; ids have 32 bits in this one.
pub(super) fn hello() -> Vec<u8> {
    let mut version = [0; VERSION_BYTES];
    let name = b"watchpost board tests";
    version[..name.len()].copy_from_slice(name);
    let mut bytes = HELLO.to_le_bytes().to_vec();
    bytes.extend((VERSION_BYTES as u32 + 4).to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(version);
    bytes.extend(CAPABILITIES.to_le_bytes());
    bytes
}

/// Reads the other side's first packet.
///
/// # Errors
/// When it is none, or the other side lacks what is needed.
pub(super) fn read_hello(from: &mut impl Read) -> io::Result<()> {
    let [kind, length, _id] = numbers(from)?;
    if kind != HELLO || length < VERSION_BYTES as u32 + 4 || length > MAX_PACKET_BYTES {
        return Err(wrong("no hello from the emulator"));
    }
    let hello = bytes(from, length)?;
    let mut rest = Fields(&hello[VERSION_BYTES..]);
    if rest.u32()? & CAPABILITIES != CAPABILITIES {
        return Err(wrong("the emulator's usbredir is too old"));
    }
    Ok(())
}

/// Reads the next packet.
///
/// # Errors
/// At the end of the stream, and when it is longer or shorter than any.
pub(super) fn read(from: &mut impl Read) -> io::Result<Packet> {
    let [kind, length] = numbers(from)?;
    if length > MAX_PACKET_BYTES {
        return Err(wrong("a packet that is too long"));
    }
    let mut id = [0; 8];
    from.read_exact(&mut id)?;
    let body = bytes(from, length)?;
    let mut body = Fields(&body);
    let wanted = match kind {
        SET_CONFIGURATION => Wanted::SetConfiguration(body.u8()?),
        GET_CONFIGURATION => Wanted::GetConfiguration,
        SET_INTERFACE => Wanted::SetInterface { interface: body.u8()?, setting: body.u8()? },
        GET_INTERFACE => Wanted::GetInterface { interface: body.u8()? },
        CANCEL => Wanted::Cancel,
        CONTROL => {
            let [_endpoint, request, request_type, _status] =
                [body.u8()?, body.u8()?, body.u8()?, body.u8()?];
            let [value, index, length] = [body.u16()?, body.u16()?, body.u16()?];
            Wanted::Control {
                setup: Setup { request_type, request, value, index, length },
                data: body.0.to_vec(),
            }
        }
        BULK_DATA => {
            let (endpoint, _status, low) = (body.u8()?, body.u8()?, body.u16()?);
            let (stream, high) = (body.u32()?, body.u16()?);
            Wanted::Bulk(BulkIn { endpoint, stream, bytes: usize::from(high) << 16 | usize::from(low) })
        }
        _ => Wanted::Nothing,
    };
    Ok(Packet { id: u64::from_le_bytes(id), wanted })
}

/// Plugs a device in.
pub(super) fn connect(device: &Device) -> Vec<u8> {
    let mut interfaces = (device.interfaces.len() as u32).to_le_bytes().to_vec();
    let mut columns = [[0; TABLE]; 4];
    for (index, classes) in device.interfaces.iter().enumerate() {
        columns[0][index] = index as u8;
        for (column, class) in columns[1..].iter_mut().zip(classes) {
            column[index] = *class;
        }
    }
    interfaces.extend(columns.concat());

    let mut types = [NO_ENDPOINT; TABLE];
    let mut of_interface = [0; TABLE];
    let mut packet_bytes = [0_u16; TABLE];
    // The second half of the table is for endpoints towards the board. Both sides of endpoint 0 are there by themselves.
    let at = usize::from(device.endpoint & 0x0F) + TABLE / 2;
    for control in [0, TABLE / 2] {
        types[control] = 0;
        packet_bytes[control] = 64;
    }
    types[at] = BULK;
    of_interface[at] = device.endpoint_interface;
    packet_bytes[at] = device.packet_bytes;
    let intervals = [0; TABLE];
    let mut endpoints = [types, intervals, of_interface].concat();
    endpoints.extend(packet_bytes.iter().flat_map(|bytes| bytes.to_le_bytes()));

    let mut itself = vec![HIGH_SPEED];
    itself.extend(device.class);
    for number in [device.vendor, device.product, device.version] {
        itself.extend(number.to_le_bytes());
    }
    let packets = [(INTERFACE_INFO, interfaces), (ENDPOINT_INFO, endpoints), (DEVICE_CONNECT, itself)];
    packets.iter().flat_map(|(kind, header)| packet(*kind, 0, header, &[])).collect()
}

/// Pulls it out.
pub(super) fn disconnect() -> Vec<u8> {
    packet(DEVICE_DISCONNECT, 0, &[], &[])
}

/// The configuration in force.
pub(super) fn configuration(id: u64, configuration: u8) -> Vec<u8> {
    packet(CONFIGURATION_STATUS, id, &[Status::Success as u8, configuration], &[])
}

/// The setting of an interface in force.
pub(super) fn interface(id: u64, status: Status, interface: u8, setting: u8) -> Vec<u8> {
    packet(INTERFACE_STATUS, id, &[status as u8, interface, setting], &[])
}

/// The end of a control transfer. `data` is what was read; of a transfer that writes, all was taken.
pub(super) fn control(id: u64, setup: Setup, status: Status, data: &[u8]) -> Vec<u8> {
    let length = if setup.reads() { data.len() as u16 } else { setup.length };
    let mut header = vec![setup.request_type & 0x80, setup.request, setup.request_type, status as u8];
    for number in [setup.value, setup.index, length] {
        header.extend(number.to_le_bytes());
    }
    packet(CONTROL, id, &header, data)
}

/// The end of a bulk transfer.
pub(super) fn bulk(id: u64, asked: BulkIn, status: Status, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_le_bytes();
    let mut header = vec![asked.endpoint, status as u8, length[0], length[1]];
    header.extend(asked.stream.to_le_bytes());
    header.extend(&length[2..]);
    packet(BULK_DATA, id, &header, data)
}

fn packet(kind: u32, id: u64, header: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(((header.len() + data.len()) as u32).to_le_bytes());
    bytes.extend(id.to_le_bytes());
    bytes.extend(header);
    bytes.extend(data);
    bytes
}

fn numbers<const N: usize>(from: &mut impl Read) -> io::Result<[u32; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        *number = u32::from_le_bytes(bytes);
    }
    Ok(numbers)
}

fn bytes(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What is left of a packet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(|| wrong("a packet that is too short"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn u8(&mut self) -> io::Result<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> io::Result<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
