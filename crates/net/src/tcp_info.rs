//! What the kernel knows about a connection: `TCP_INFO` and the congestion control's name.
//!
//! Read only. Nothing here sets an option of a socket.

use std::time::Duration;

/// One connection as the kernel sees it, counted since it was made.
///
/// Times are those of `struct tcp_info` in `linux/tcp.h`. The three shares of
/// [`busy`](TcpInfo::busy) tell what held the sending side back, see `tcp(7)`: where neither window nor
/// buffer did, the network did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// Smoothed round-trip time; for a side that mostly receives, the receiver's estimate.
    pub rtt: Duration,
    /// The shortest round trip seen; zero when there was none.
    pub min_rtt: Duration,
    /// Segments that were sent again.
    pub retransmits: u64,
    /// Segments with data that were sent, those again included.
    pub segments_out: u64,
    /// Segments with data that were received.
    pub segments_in: u64,
    /// Congestion window, bytes.
    pub congestion_window: u64,
    /// What the peer's window allowed at the last look, bytes; 0 where the kernel does not tell.
    pub peer_window: u64,
    /// Latest estimate of the rate at which the network delivers, bytes a second.
    pub delivery_rate: u64,
    /// Time in which there was something to send.
    pub busy: Duration,
    /// Time in which the peer's window was full: its application reads slowly, or the window is too
    /// small for this path.
    pub window_limited: Duration,
    /// Time in which this side's send buffer was too small.
    pub buffer_limited: Duration,
    /// Largest segment to send, bytes.
    pub segment_len: u32,
    /// Path MTU as far as known, bytes.
    pub path_mtu: u32,
    /// Name of the congestion control, `cubic` for example; empty when it can't be told.
    pub congestion_control: String,
}

impl TcpInfo {
    /// Asks the kernel; `None` where the platform has no `TCP_INFO`.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(socket: &impl std::os::fd::AsFd) -> Option<Self> {
        let socket = socket.as_fd();
        let mut bytes = [0; LEN];
        let filled = linux::get(socket, &mut bytes)?;
        let mut info = Self::from_bytes(bytes.get(..filled)?);
        info.congestion_control = rustix::net::sockopt::tcp_congestion(socket).unwrap_or_default();
        Some(info)
    }

    /// Asks the kernel; `None` where the platform has no `TCP_INFO`.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of<S>(_socket: &S) -> Option<Self> {
        None
    }

    /// Reads `struct tcp_info`, of which older kernels give less: what is missing is zero.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has it"))]
    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |offset: usize| {
            bytes
                .get(offset..offset + 4)
                .map_or(0, |four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
        };
        let long = |offset: usize| {
            bytes
                .get(offset..)
                .and_then(|rest| rest.first_chunk())
                .map_or(0, |&eight| u64::from_ne_bytes(eight))
        };
        let (segments_out, segments_in) = (u64::from(word(156)), u64::from(word(152)));
        let received = word(92);
        let rtt = if segments_in > segments_out && received > 0 { received } else { word(68) };
        let segment_len = word(16);
        Self {
            rtt: Duration::from_micros(rtt.into()),
            // `tcp_min_rtt` is all ones while nothing was measured.
            min_rtt: Duration::from_micros(
                Some(word(148)).filter(|&us| us != u32::MAX).unwrap_or(0).into(),
            ),
            retransmits: word(100).into(),
            segments_out,
            segments_in,
            congestion_window: u64::from(word(80)) * u64::from(segment_len),
            peer_window: word(228).into(),
            delivery_rate: long(160),
            busy: Duration::from_micros(long(168)),
            window_limited: Duration::from_micros(long(176)),
            buffer_limited: Duration::from_micros(long(184)),
            segment_len,
            path_mtu: word(60),
            congestion_control: String::new(),
        }
    }
}

/// Length of `struct tcp_info` as far as it is read here.
#[cfg(target_os = "linux")]
const LEN: usize = 232;

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "rustix has no TCP_INFO")]
mod linux {
    use std::os::fd::{AsRawFd, BorrowedFd};

    /// Fills `bytes` and returns how many the kernel gave.
    pub(super) fn get(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> Option<usize> {
        let mut len = libc::socklen_t::try_from(bytes.len()).ok()?;
        // SAFETY: `getsockopt(2)` takes an open descriptor, which `socket` keeps open during the
        // call, and writes at most `len` bytes to `bytes` and the number of them to `len`; both
        // are exclusively borrowed.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                bytes.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        (result == 0).then(|| usize::try_from(len).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_answer_of_an_older_kernel_is_read_as_far_as_it_goes() {
        let mut bytes = [0; 104];
        bytes[68..72].copy_from_slice(&1500_u32.to_ne_bytes());
        bytes[16..20].copy_from_slice(&1448_u32.to_ne_bytes());
        bytes[80..84].copy_from_slice(&10_u32.to_ne_bytes());
        bytes[100..104].copy_from_slice(&7_u32.to_ne_bytes());
        let info = TcpInfo::from_bytes(&bytes);
        assert_eq!(info.rtt, Duration::from_micros(1500));
        assert_eq!((info.congestion_window, info.retransmits, info.delivery_rate), (14_480, 7, 0));
        assert_eq!(TcpInfo::from_bytes(&[]), TcpInfo::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells_about_a_real_connection() {
        use std::io::{Read, Write};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut one = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        one.write_all(&[7; 10_000]).unwrap();
        other.read_exact(&mut [0; 10_000]).unwrap();
        let (sender, receiver) = (TcpInfo::of(&one), TcpInfo::of(&other));
        let (sender, receiver) = (sender.unwrap(), receiver.unwrap());
        assert!(sender.segments_out > 0 && sender.segment_len > 0, "{sender:?}");
        assert!(sender.congestion_window > 0 && !sender.congestion_control.is_empty());
        assert!(receiver.segments_in > 0, "{receiver:?}");
        let pipe = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(TcpInfo::of(&pipe), None, "no socket, no information");
    }
}
