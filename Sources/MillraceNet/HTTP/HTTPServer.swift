internal import CMillraceHTTP
internal import CMillraceTLS
internal import Glibc
internal import Synchronization

/// The node's HTTP server: libevent's evhttp on a thread of its own, so that no request waits for a
/// shard nor a shard for a request. The handler runs on that thread.
package final class HTTPServer: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

    /// The port it listens on.
    package let port: UInt16
    private let core: HTTPCore
    private let thread: Mutex<WorkerThread?>

    /// Binds and serves. A port in use is `NetError.addressInUse`.
    /// - Parameters:
    ///   - host: an address; empty for all.
    ///   - port: 0 takes a free one.
    ///   - bodyBytesMax: a larger body is answered with 413.
    package init(
        host: String, port: UInt16, tls: TLSContextHolder? = nil,
        bodyBytesMax: Int = 1024 * 1024, handler: @escaping Handler
    ) throws(NetError) {
        let socket = try ListeningSocket(name: "HTTP", host: host, port: port)
        self.port = socket.address.port
        let core = try HTTPCore(socket, tls, bodyBytesMax, handler)
        self.core = core
        thread = Mutex(try WorkerThread(name: "http") { core.run() })
    }

    deinit { stop() }

    /// Stops serving and waits for the thread. A second call does nothing.
    package func stop() {
        let running = thread.withLock { thread in
            let running = thread
            thread = nil
            return running
        }
        guard let running else { return }
        core.stop()
        running.join()
    }
}

/// libevent's objects.
///
/// Unchecked: after the initialiser only the server's thread touches `http` and the handler; other
/// threads call nothing but `event_base_once`, which libevent locks (`evthread_use_pthreads`).
final class HTTPCore: @unchecked Sendable {
    private static let headersBytesMax = 16 * 1024
    /// A client that neither sends nor reads is dropped.
    private static let silenceSeconds: Int32 = 30
    /// Must come before the first base, else wakes are lost without an error.
    private static let threadsReady: Bool = evthread_use_pthreads() == 0

    private let base: OpaquePointer
    private var http: OpaquePointer?
    private let tls: TLSContextHolder?
    private let handler: HTTPServer.Handler

    init(
        _ socket: ListeningSocket, _ tls: TLSContextHolder?, _ bodyBytesMax: Int,
        _ handler: @escaping HTTPServer.Handler
    ) throws(NetError) {
        guard Self.threadsReady, let base = event_base_new() else {
            throw .system("event_base_new", ENOMEM)
        }
        guard let http = evhttp_new(base) else {
            event_base_free(base)
            throw .system("evhttp_new", ENOMEM)
        }
        (self.base, self.http, self.tls, self.handler) = (base, http, tls, handler)
        evhttp_set_max_headers_size(http, Self.headersBytesMax)
        evhttp_set_max_body_size(http, bodyBytesMax)
        evhttp_set_timeout(http, Self.silenceSeconds)
        let methods =
            EVHTTP_REQ_GET.rawValue | EVHTTP_REQ_HEAD.rawValue | EVHTTP_REQ_POST.rawValue
            | EVHTTP_REQ_PUT.rawValue | EVHTTP_REQ_DELETE.rawValue
        evhttp_set_allowed_methods(http, UInt16(methods))
        // libevent closes what it listens on; the listening socket closes its own.
        let descriptor = fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0, let bound = evhttp_accept_socket_with_handle(http, descriptor) else {
            throw .system("evhttp_accept_socket", errno)
        }
        evconnlistener_set_error_cb(
            evhttp_bound_socket_get_listener(bound), { listener, _ in HTTPCore.pause(listener) })
        let context = Unmanaged.passUnretained(self).toOpaque()
        evhttp_set_gencb(
            http,
            { request, context in
                guard let request, let context else { return }
                Unmanaged<HTTPCore>.fromOpaque(context).takeUnretainedValue().answer(request)
            }, context)
        guard tls != nil else { return }
        evhttp_set_bevcb(
            http,
            { base, context in
                guard let base, let context else { return nil }
                return Unmanaged<HTTPCore>.fromOpaque(context).takeUnretainedValue().sealed(base)
            }, context)
    }

    deinit {
        close()
        event_base_free(base)
    }

    /// Serves until `stop`, then closes connections and the port.
    func run() {
        event_base_dispatch(base)
        close()
    }

    private func close() {
        if let http { evhttp_free(http) }
        http = nil
    }

    /// Ends `run`, also one that has not begun. Any thread.
    func stop() {
        var now = timeval()
        event_base_once(
            base, -1, Int16(EV_TIMEOUT),
            { _, _, base in event_base_loopbreak(base.map { OpaquePointer($0) }) },
            UnsafeMutableRawPointer(base), &now)
    }

    /// Descriptors have run out: libevent would ask again and again. Accepting goes on in a second.
    private static func pause(_ listener: OpaquePointer?) {
        guard let listener, let base = evconnlistener_get_base(listener) else { return }
        evconnlistener_disable(listener)
        var delay = timeval(tv_sec: 1, tv_usec: 0)
        event_base_once(
            base, -1, Int16(EV_TIMEOUT),
            { _, _, listener in evconnlistener_enable(listener.map { OpaquePointer($0) }) },
            UnsafeMutableRawPointer(listener), &delay)
    }

    private func sealed(_ base: OpaquePointer) -> OpaquePointer? {
        guard let tls, let ssl = SSL_new(tls.current.pointer) else { return nil }
        return bufferevent_openssl_socket_new(
            base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
    }

    // MARK: requests

    private func answer(_ request: OpaquePointer) {
        let response = handler(self.request(request))
        let headers = evhttp_request_get_output_headers(request)
        evhttp_add_header(headers, "Content-Type", response.contentType)
        for (name, value) in response.headers { evhttp_add_header(headers, name, value) }
        guard let buffer = evbuffer_new() else {
            return evhttp_send_error(request, 500, nil)
        }
        defer { evbuffer_free(buffer) }
        if evhttp_request_get_command(request) == EVHTTP_REQ_HEAD {
            // libevent would send the body.
            evhttp_add_header(headers, "Content-Length", "\(response.body.count)")
        } else {
            _ = response.body.withUnsafeBytes { evbuffer_add(buffer, $0.baseAddress, $0.count) }
        }
        evhttp_send_reply(request, Int32(clamping: response.status), nil, buffer)
    }

    private func request(_ request: OpaquePointer) -> HTTPRequest {
        let uri = evhttp_request_get_evhttp_uri(request)
        let path = evhttp_uri_get_path(uri).map { String(cString: $0) } ?? "/"
        let query = evhttp_uri_get_query(uri).map { String(cString: $0) } ?? ""
        var address: UnsafeMutablePointer<CChar>?
        var port: UInt16 = 0
        if let connection = evhttp_request_get_connection(request) {
            evhttp_connection_get_peer(connection, &address, &port)
        }
        return HTTPRequest(
            method: Self.method(evhttp_request_get_command(request)),
            path: HTTPRequest.decoded(path.utf8, isQuery: false),
            query: HTTPRequest.query(query), body: Self.body(request),
            peer: address.map { String(cString: $0) } ?? "")
    }

    private static func body(_ request: OpaquePointer) -> [UInt8] {
        guard let input = evhttp_request_get_input_buffer(request) else { return [] }
        let length = evbuffer_get_length(input)
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            count = max(0, Int(evbuffer_remove(input, buffer.baseAddress, length)))
        }
    }

    private static func method(_ command: evhttp_cmd_type) -> String {
        switch command {
        case EVHTTP_REQ_GET: "GET"
        case EVHTTP_REQ_HEAD: "HEAD"
        case EVHTTP_REQ_POST: "POST"
        case EVHTTP_REQ_PUT: "PUT"
        case EVHTTP_REQ_DELETE: "DELETE"
        default: ""
        }
    }
}
