//! The line's TCP: each stream ends here and begins anew toward the target.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::Passed;
use super::pipe::{Parcel, Pipe};
use super::relay::{To, Ways};
use super::way::Room;
use super::weather::Weather;
use crate::clock::Moment;

/// Largest piece that meets a fate of its own: the payload of a segment.
const PIECE: usize = 1448;
/// Streams at the same time; further callers wait.
const MOST_STREAMS: usize = 1024;
/// Pieces that are taken from one stream before the others have their turn.
const AT_ONCE: usize = 32;

/// The part of a stream behind the line.
enum Far {
    /// The target is called when the caller's handshake would have come to it.
    CallAt(Moment),
    Calling(TcpStream),
    There(TcpStream),
}

/// One direction of a stream, with what its sockets said last.
#[derive(Default)]
struct Direction {
    pipe: Pipe,
    /// There may be something to read.
    readable: bool,
    /// The receiver takes no more for now.
    blocked: bool,
    /// The receiver takes no more for ever.
    deaf: bool,
}

struct Stream {
    near: TcpStream,
    far: Far,
    /// Toward target, toward caller.
    directions: [Direction; 2],
    over: bool,
}

/// All of a line's streams.
pub(super) struct Streams {
    target: SocketAddr,
    listener: TcpListener,
    streams: Vec<Stream>,
    buffer: Box<[u8]>,
}

impl Streams {
    pub(super) fn new(listener: TcpListener, target: SocketAddr) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            target,
            listener,
            streams: Vec::new(),
            buffer: vec![0; PIECE].into(),
        })
    }

    /// Breaks all streams off, at both ends.
    pub(super) fn cut(&mut self) {
        for stream in self.streams.drain(..) {
            stream.reset();
        }
    }

    /// When something is to be done though no socket says anything.
    pub(super) fn due(&self, ways: &mut Ways) -> Option<Moment> {
        let due = |stream: &Stream, ways: &mut Ways| {
            if let Far::CallAt(at) = stream.far {
                return (!ways.weather().down).then_some(at);
            }
            let directions = stream.directions.iter().zip([To::Target, To::Caller]);
            let dues = directions.flat_map(|(direction, to)| {
                let out = direction.pipe.due().filter(|_| !direction.blocked);
                let room = ways.decide(to, |way, weather, now| {
                    direction.pipe.room(way, weather, now)
                });
                let more = match room {
                    Room::Now if direction.readable => Some(Moment::START),
                    Room::At(moment) => Some(moment),
                    Room::Now | Room::WhenUp => None,
                };
                [out, more]
            });
            dues.flatten().min()
        };
        self.streams
            .iter()
            .filter_map(|stream| due(stream, ways))
            .min()
    }

    /// What to wait for: callers first, then two places for each stream.
    pub(super) fn poll_fds<'a>(&'a self, weather: &Weather, fds: &mut Vec<PollFd<'a>>) {
        let more = self.streams.len() < MOST_STREAMS;
        let callers = if more {
            PollFlags::IN
        } else {
            PollFlags::empty()
        };
        fds.push(PollFd::new(&self.listener, callers));
        for stream in &self.streams {
            let [target, caller] = stream.interests(weather);
            fds.push(PollFd::new(&stream.near, caller));
            // A place that asks for nothing is still told of errors, so the one that must not be heard is not named.
            fds.push(match &stream.far {
                Far::CallAt(_) => PollFd::new(&self.listener, PollFlags::empty()),
                Far::Calling(far) | Far::There(far) => PollFd::new(far, target),
            });
        }
    }

    /// Does what can be done, given what [`poll_fds`](Self::poll_fds) found.
    pub(super) fn turn(&mut self, ready: &[PollFlags], ways: &mut Ways, passed: &mut Passed) {
        let weather = ways.weather();
        for (stream, ready) in self.streams.iter_mut().zip(ready[1..].chunks(2)) {
            stream.hear(ready[0], ready[1], &weather);
        }
        if !ready[0].is_empty() {
            self.accept(ways, passed);
        }
        for stream in &mut self.streams {
            if let Err(why) = stream.advance(self.target, &mut self.buffer, ways, passed) {
                tracing::debug!("a stream of the line ended: {why}");
                stream.over = true;
                stream.reset();
            }
        }
        self.streams.retain(|stream| !stream.over);
    }

    fn accept(&mut self, ways: &mut Ways, passed: &mut Passed) {
        while self.streams.len() < MOST_STREAMS {
            match self.listener.accept() {
                Ok((near, caller)) => {
                    passed.calls += 1;
                    let prepared = near.set_nonblocking(true).and(near.set_nodelay(true));
                    if let Err(why) = prepared {
                        tracing::debug!(%caller, "a stream of the line ended: {why}");
                        continue;
                    }
                    let round_trip = ways.weather().round_trip();
                    self.streams.push(Stream {
                        near,
                        far: Far::CallAt(ways.now() + round_trip),
                        directions: Default::default(),
                        over: false,
                    });
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                // The caller has gone again, or there are too many files: what waits is told of again.
                Err(why) => {
                    tracing::debug!("a stream of the line did not begin: {why}");
                    return;
                }
            }
        }
    }
}

impl Stream {
    /// What to ask of the socket toward the target, and of the one toward the caller.
    fn interests(&self, weather: &Weather) -> [PollFlags; 2] {
        let interest = |from: &Direction, out: &Direction| {
            let mut flags = PollFlags::empty();
            // While the line is down nobody learns what the other does.
            if !weather.down && !from.readable && !from.pipe.ended() {
                flags |= PollFlags::IN;
            }
            if out.blocked {
                flags |= PollFlags::OUT;
            }
            flags
        };
        let [to_target, to_caller] = &self.directions;
        match self.far {
            // A caller that gives up before the line is up again was never heard of at the target.
            Far::CallAt(_) if weather.down => [PollFlags::empty(), PollFlags::RDHUP],
            Far::CallAt(_) => [PollFlags::empty(), PollFlags::empty()],
            Far::Calling(_) => [PollFlags::OUT, PollFlags::empty()],
            Far::There(_) => [
                interest(to_caller, to_target),
                interest(to_target, to_caller),
            ],
        }
    }

    /// Notes what the sockets said.
    fn hear(&mut self, near: PollFlags, far: PollFlags, weather: &Weather) {
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        match self.far {
            Far::CallAt(_) => self.over |= weather.down && near.intersects(gone),
            Far::Calling(_) => {}
            Far::There(_) => {
                let [to_target, to_caller] = &mut self.directions;
                let (broken, input) = (PollFlags::HUP | PollFlags::ERR, PollFlags::IN);
                to_target.readable |= near.intersects(input | broken);
                to_caller.readable |= far.intersects(input | broken);
                to_caller.blocked &= !near.intersects(PollFlags::OUT | broken);
                to_target.blocked &= !far.intersects(PollFlags::OUT | broken);
            }
        }
    }

    fn advance(
        &mut self,
        target: SocketAddr,
        buffer: &mut [u8],
        ways: &mut Ways,
        passed: &mut Passed,
    ) -> io::Result<()> {
        let weather = ways.weather();
        match &self.far {
            Far::CallAt(at) if !weather.down && *at <= ways.now() => {
                self.far = Far::Calling(call(target)?);
                return Ok(());
            }
            Far::CallAt(_) => return Ok(()),
            Far::Calling(far) => {
                if let Some(why) = far.take_error()? {
                    return Err(why);
                }
                // Not yet there, and no error.
                if far.peer_addr().is_err() {
                    return Ok(());
                }
                passed.streams += 1;
                let Far::Calling(far) = std::mem::replace(&mut self.far, Far::CallAt(ways.now()))
                else {
                    unreachable!("it was just looked at");
                };
                self.far = Far::There(far);
            }
            Far::There(_) => {}
        }
        let Far::There(far) = &self.far else {
            return Ok(());
        };
        let ends = [(&self.near, far), (far, &self.near)];
        for ((direction, (from, out)), to) in self
            .directions
            .iter_mut()
            .zip(ends)
            .zip([To::Target, To::Caller])
        {
            direction.pipe.look(&weather, ways.now());
            direction.take_in(from, buffer, to, ways);
            if direction.pass_on(out, ways.now(), passed) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        // Who has become deaf breaks off what it says.
        for (deaf, says, to) in [(0, 1, To::Caller), (1, 0, To::Target)] {
            if self.directions[deaf].deaf && !self.directions[says].pipe.broken_off() {
                let pipe = &mut self.directions[says].pipe;
                ways.decide(to, |way, weather, now| {
                    pipe.put(way, weather, now, Parcel::Reset);
                });
            }
        }
        let is_over = |direction: &Direction| direction.pipe.ended() && direction.pipe.is_empty();
        self.over = self.directions.iter().all(is_over);
        Ok(())
    }

    /// Lets both ends see a broken connection.
    fn reset(&self) {
        let _ = SockRef::from(&self.near).set_linger(Some(Duration::ZERO));
        if let Far::Calling(far) | Far::There(far) = &self.far {
            let _ = SockRef::from(far).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Direction {
    /// Reads while there is something to read, and room.
    fn take_in(&mut self, mut from: &TcpStream, buffer: &mut [u8], to: To, ways: &mut Ways) {
        for _ in 0..AT_ONCE {
            let room = ways.decide(to, |way, weather, now| self.pipe.room(way, weather, now));
            if !self.readable || room != Room::Now {
                return;
            }
            let parcel = match from.read(buffer) {
                Ok(0) => Parcel::End,
                Ok(length) => Parcel::Octets(Bytes::copy_from_slice(&buffer[..length])),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return;
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Parcel::Reset,
            };
            ways.decide(to, |way, weather, now| {
                self.pipe.put(way, weather, now, parcel);
            });
        }
    }

    /// Writes what has arrived; tells whether that was the stream's violent end.
    fn pass_on(&mut self, mut out: &TcpStream, now: Moment, passed: &mut Passed) -> bool {
        while !self.blocked
            && let Some(parcel) = self.pipe.arrived(now)
        {
            let octets = match parcel {
                Parcel::Octets(octets) if self.deaf => octets.len(),
                Parcel::Octets(octets) => match out.write(octets) {
                    Ok(length) => {
                        passed.stream_octets += length as u64;
                        length
                    }
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                        self.blocked = true;
                        return false;
                    }
                    Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => {
                        self.deaf = true;
                        continue;
                    }
                },
                Parcel::End => {
                    // A receiver that has gone meanwhile needs no end.
                    let _ = out.shutdown(Shutdown::Write);
                    0
                }
                Parcel::Reset => return true,
            };
            self.pipe.take_out(octets);
        }
        false
    }
}

/// Begins to call the target.
fn call(target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(target),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(why) if why.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(why) => return Err(why),
    }
    Ok(socket.into())
}
