// libssl and libcrypto, with what their macros and variadic functions hide from Swift.
#pragma once
// Glibc's own module differs in fd_set between static and dynamic builds, and a second definition that
// does not match stops the compiler now and then. Nothing here needs select: its header is left out.
#define _SYS_SELECT_H 1
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

/// The ciphertext of the connection that is being worked on: what came from the socket, and where
/// what goes to it is gathered. One a loop.
typedef struct millrace_tls_io {
    const unsigned char *in;
    size_t in_length;
    unsigned char *out;
    size_t out_length;
    size_t out_capacity;
} millrace_tls_io;

static int millrace_tls_bio_read(BIO *bio, char *into, int count) {
    millrace_tls_io *io = (millrace_tls_io *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (count <= 0) return 0;
    if (!io || io->in_length == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t length = io->in_length < (size_t)count ? io->in_length : (size_t)count;
    memcpy(into, io->in, length);
    io->in += length;
    io->in_length -= length;
    return (int)length;
}

static int millrace_tls_bio_write(BIO *bio, const char *from, int count) {
    millrace_tls_io *io = (millrace_tls_io *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (count <= 0) return 0;
    size_t room = io ? io->out_capacity - io->out_length : 0;
    if (room == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    size_t length = room < (size_t)count ? room : (size_t)count;
    memcpy(io->out + io->out_length, from, length);
    io->out_length += length;
    return (int)length;
}

static long millrace_tls_bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int millrace_tls_bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

/// The kind of BIO whose data is a `millrace_tls_io`. Made once, kept for ever.
static inline BIO_METHOD *millrace_tls_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "millrace");
    if (!method) return NULL;
    BIO_meth_set_read(method, millrace_tls_bio_read);
    BIO_meth_set_write(method, millrace_tls_bio_write);
    BIO_meth_set_ctrl(method, millrace_tls_bio_control);
    BIO_meth_set_create(method, millrace_tls_bio_create);
    return method;
}

/// Modes, options and the session cache that every context of ours has.
static inline void millrace_tls_context_defaults(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Sessions live in tickets that clients keep; the server remembers none.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
}

static inline int millrace_tls_set_versions(SSL_CTX *context, int lowest, int highest) {
    return SSL_CTX_set_min_proto_version(context, lowest) &&
           SSL_CTX_set_max_proto_version(context, highest);
}

static inline int millrace_tls_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

/// Sends the name to the server and asks that its certificate bears it.
static inline int millrace_tls_expect_name(SSL *ssl, const char *name) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name);
}
static inline int millrace_tls_expect_address(SSL *ssl, const char *address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address);
}
static inline int millrace_tls_send_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

/// Gives a password to PEM readers, and never asks at the terminal.
static inline int millrace_pem_password(char *buffer, int size, int writing, void *password) {
    (void)writing;
    if (!password) return -1;
    size_t length = strlen((const char *)password);
    if (length > (size_t)size) return -1;
    memcpy(buffer, password, length);
    return (int)length;
}
/// The first private key of a PEM text. `password` may be null.
static inline EVP_PKEY *millrace_pem_read_key(const void *text, int length, const char *password) {
    BIO *bio = BIO_new_mem_buf(text, length);
    if (!bio) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, millrace_pem_password, (void *)password);
    BIO_free(bio);
    return key;
}
static inline BIO *millrace_pem_reader(const void *text, int length) {
    return BIO_new_mem_buf(text, length);
}
static inline X509 *millrace_pem_next_certificate(BIO *bio) {
    return PEM_read_bio_X509(bio, NULL, millrace_pem_password, NULL);
}

/// The bytes of a memory BIO; they are the BIO's.
static inline long millrace_bio_bytes(BIO *bio, const char **bytes) {
    return BIO_get_mem_data(bio, (char **)bytes);
}

static inline EVP_PKEY *millrace_new_p256_key(void) { return EVP_EC_gen("P-256"); }
static inline int millrace_error_is_no_start_line(unsigned long error) {
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/// Seconds since 1970, or −1.
static inline int64_t millrace_asn1_seconds(const ASN1_TIME *time) {
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    int ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    return ok ? (int64_t)days * 86400 + seconds : -1;
}

/// Adds an extension of the kind `nid` with openssl.cnf's syntax.
static inline int millrace_x509_add_extension(
    X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!extension) return 0;
    int ok = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

/// A subject alternative name: its type (GEN_DNS, GEN_IPADD) and bytes, or −1 behind the last.
static inline int millrace_x509_name_at(
    const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *length) {
    if (!names || index >= sk_GENERAL_NAME_num(names)) return -1;
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    *bytes = NULL;
    *length = 0;
    if (name->type == GEN_DNS || name->type == GEN_IPADD) {
        const ASN1_STRING *text =
            name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
        *bytes = ASN1_STRING_get0_data(text);
        *length = ASN1_STRING_length(text);
    }
    return name->type;
}
static inline GENERAL_NAMES *millrace_x509_names(X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
static inline void millrace_x509_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }

/// RFC 2253, with UTF-8 as it is.
static inline unsigned long millrace_x509_name_flags(void) {
    return XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
}
