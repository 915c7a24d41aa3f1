//! The wires: real UDP sockets on loopback for the stations, which know of none.

use crate::demo::station::Station;
use crate::time::Tick;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Datagrams that wait for the stage; far more than people on it send in a turn.
const INBOX: usize = 4_096;
/// How often free ports in a row are looked for.
const LOOKS: usize = 200;
/// Where they are looked for.
const PORTS: RangeInclusive<u16> = 12_000..=32_000;

/// The sockets of one station.
#[derive(Clone, Debug)]
pub struct Wires {
    /// Where it speaks SIP.
    pub sip: Arc<UdpSocket>,
    /// Its RTP, by port.
    pub rtp: HashMap<u16, Arc<UdpSocket>>,
    /// The first port of its RTP.
    pub rtp_first: u16,
}

/// A datagram that has come.
#[derive(Debug)]
pub struct Arrived {
    /// To which station.
    pub station: usize,
    /// To its RTP port; unset: to its SIP.
    pub rtp: Option<u16>,
    /// From where.
    pub from: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

impl Wires {
    /// Sockets on loopback, with `calls` ports for RTP. Needs a runtime around it.
    pub fn lay(calls: u16) -> io::Result<Wires> {
        let sip = Arc::new(UdpSocket::from_std(bind(0)?)?);
        let block = block(calls)?;
        let rtp_first = block.first().map_or(Ok(0), |socket| socket.local_addr().map(|address| address.port()))?;
        let mut rtp = HashMap::new();
        for socket in block {
            rtp.insert(socket.local_addr()?.port(), Arc::new(UdpSocket::from_std(socket)?));
        }
        Ok(Wires { sip, rtp, rtp_first })
    }

    /// Sends what the station has to say. A datagram that does not leave is lost, as on any wire.
    pub fn carry(&self, station: &mut Station) {
        while let Some(transmit) = station.poll_transmit() {
            drop(self.sip.try_send_to(&transmit.bytes, transmit.to));
        }
        while let Some(transmit) = station.poll_rtp() {
            if let Some(socket) = self.rtp.get(&transmit.port) {
                drop(socket.try_send_to(&transmit.bytes, transmit.to));
            }
        }
    }
}

/// Listens on all wires.
pub fn listen(all: &[Wires]) -> mpsc::Receiver<Arrived> {
    let (arrived, inbox) = mpsc::channel(INBOX);
    for (station, wires) in all.iter().enumerate() {
        let sockets = wires.rtp.iter().map(|(port, socket)| (Some(*port), socket));
        for (rtp, socket) in sockets.chain([(None, &wires.sip)]) {
            tokio::spawn(read(station, rtp, socket.clone(), arrived.clone()));
        }
    }
    inbox
}

async fn read(station: usize, rtp: Option<u16>, socket: Arc<UdpSocket>, arrived: mpsc::Sender<Arrived>) {
    let mut buffer = vec![0; 65_536];
    loop {
        // An error here is ICMP's word on something sent before: SIP's timers know what to do about that.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let datagram = Arrived { station, rtp, from, bytes: buffer[..length].to_vec() };
        if arrived.send(datagram).await.is_err() {
            return; // The stage is empty.
        }
    }
}

/// Hands a datagram to its station.
pub fn deliver(now: Tick, stations: &mut [Station], arrived: &Arrived) {
    let Some(station) = stations.get_mut(arrived.station) else { return };
    match arrived.rtp {
        Some(port) => station.receive_rtp(now, port, &arrived.bytes),
        None => station.receive(now, arrived.from, &arrived.bytes),
    }
}

/// The first and the last of `count` ports that are free now, the first one even. They lie below the ports that systems
/// give to whoever asks for any, so that nobody is given one of them before it is bound.
pub fn free_ports(count: u16) -> io::Result<(u16, u16)> {
    let begin = std::process::id() as usize;
    let blocks = usize::from((PORTS.end() - PORTS.start()) / count);
    for look in 0..LOOKS.min(blocks) {
        let block = u16::try_from((begin + look) % blocks).unwrap_or(0);
        let first = (PORTS.start() + block * count) & !1;
        let last = first + count - 1;
        if (first..=last).all(|port| bind(port).is_ok()) {
            return Ok((first, last));
        }
    }
    Err(io::Error::other("no free ports in a row"))
}

/// Sockets on `count` even ports in a row.
fn block(count: u16) -> io::Result<Vec<StdSocket>> {
    for _ in 0..LOOKS {
        let (first, _) = free_ports(2 * count)?;
        if let Ok(sockets) = (0..count).map(|n| bind(first + 2 * n)).collect() {
            return Ok(sockets);
        }
    }
    Err(io::Error::other("no free ports in a row"))
}

fn bind(port: u16) -> io::Result<StdSocket> {
    let socket = StdSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
