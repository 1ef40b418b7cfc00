//! Connects its standard streams with a port: `tcp-pipe HOST PORT`. The emulator starts one for every connection that a board opens.

use std::env::args;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

fn main() -> anyhow::Result<()> {
    let [host, port] = [1, 2].map(|at| args().nth(at).unwrap_or_default());
    let stream = TcpStream::connect((host.as_str(), port.parse::<u16>()?))?;
    stream.set_nodelay(true)?;
    let (mut from_port, mut to_port) = (stream.try_clone()?, stream);
    std::thread::spawn(move || {
        // Either side may go first.
        let _ = pass(&mut io::stdin().lock(), &mut to_port);
        let _ = to_port.shutdown(Shutdown::Write);
    });
    pass(&mut from_port, &mut io::stdout().lock())?;
    Ok(())
}

fn pass(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            taken => to.write_all(&buffer[..taken])?,
        }
        to.flush()?;
    }
}
