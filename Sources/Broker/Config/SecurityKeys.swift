/// Broker settings of TLS, SASL and authorisation, as in Kafka 4.3.
/// The form of a row stands at `ConfigTable`.
enum SecurityKeys {
    static let rows = #"""
        authorizer.class.name|string||read-only|non-null string|low
        sasl.mechanism.controller.protocol|string|GSSAPI|read-only|-|high
        connections.max.reauth.ms|long|0|read-only|-|medium
        sasl.server.max.receive.size|int|524288|read-only|-|medium
        security.providers|string|null|read-only|-|low
        principal.builder.class|class|org.apache.kafka.common.security.authenticator.\#
        DefaultKafkaPrincipalBuilder|per-broker|-|medium
        ssl.client.auth|string|none|per-broker|[required, requested, none]|medium
          Whether a client must, may or does not show a certificate.
        ssl.principal.mapping.rules|string|DEFAULT|read-only|-|low
        ssl.allow.dn.changes|boolean|false|read-only|-|low
        ssl.allow.san.changes|boolean|false|read-only|-|low
        ssl.protocol|string|TLSv1.3|per-broker|-|medium
        ssl.provider|string|null|per-broker|-|medium
        ssl.enabled.protocols|list|TLSv1.2,TLSv1.3|per-broker|-|medium
          Versions of TLS that are spoken: TLSv1.2, TLSv1.3.
        ssl.keystore.type|string|JKS|per-broker|-|medium
          Kind of the key store: PEM (JKS and PKCS12 are not served).
        ssl.keystore.location|string|null|per-broker|-|medium
          A PEM file with the private key and its certificate chain.
        ssl.keystore.password|password|null|per-broker|-|medium
          Not used with PEM: ssl.key.password is.
        ssl.key.password|password|null|per-broker|-|medium
          Password of the private key.
        ssl.keystore.key|password|null|per-broker|-|medium
          The private key itself, in PEM.
        ssl.keystore.certificate.chain|password|null|per-broker|-|medium
          The certificate chain itself, in PEM, leaf first.
        ssl.truststore.type|string|JKS|per-broker|-|medium
          Kind of the trust store: PEM.
        ssl.truststore.location|string|null|per-broker|-|medium
          A PEM file with the authorities that clients' certificates are checked against.
        ssl.truststore.password|password|null|per-broker|-|medium
        ssl.truststore.certificates|password|null|per-broker|-|medium
          The authorities themselves, in PEM.
        ssl.keymanager.algorithm|string|SunX509|per-broker|-|medium
        ssl.trustmanager.algorithm|string|PKIX|per-broker|-|medium
        ssl.endpoint.identification.algorithm|string|https|per-broker|-|low
        ssl.secure.random.implementation|string|null|per-broker|-|low
        ssl.cipher.suites|list||per-broker|-|medium
          Cipher suites that are offered; empty leaves them to the library.
        ssl.engine.factory.class|class|null|per-broker|-|low
        sasl.mechanism.inter.broker.protocol|string|GSSAPI|per-broker|-|medium
        sasl.enabled.mechanisms|list|GSSAPI|per-broker|-|medium
        sasl.server.callback.handler.class|class|null|read-only|-|medium
        sasl.kerberos.principal.to.local.rules|list|DEFAULT|per-broker|-|medium
        sasl.jaas.config|password|null|per-broker|-|medium
        sasl.client.callback.handler.class|class|null|read-only|-|medium
        sasl.login.class|class|null|read-only|-|medium
        sasl.login.callback.handler.class|class|null|read-only|-|medium
        sasl.kerberos.service.name|string|null|per-broker|-|medium
        sasl.kerberos.kinit.cmd|string|/usr/bin/kinit|per-broker|-|medium
        sasl.kerberos.ticket.renew.window.factor|double|0.8|per-broker|-|medium
        sasl.kerberos.ticket.renew.jitter|double|0.05|per-broker|-|medium
        sasl.kerberos.min.time.before.relogin|long|60000|per-broker|-|medium
        sasl.login.refresh.window.factor|double|0.8|per-broker|-|medium
        sasl.login.refresh.window.jitter|double|0.05|per-broker|-|medium
        sasl.login.refresh.min.period.seconds|short|60|per-broker|-|medium
        sasl.login.refresh.buffer.seconds|short|300|per-broker|-|medium
        sasl.login.connect.timeout.ms|int|null|read-only|-|low
        sasl.login.read.timeout.ms|int|null|read-only|-|low
        sasl.login.retry.backoff.max.ms|long|10000|read-only|-|low
        sasl.login.retry.backoff.ms|long|100|read-only|-|low
        sasl.oauthbearer.jwt.retriever.class|class|org.apache.kafka.common.security.oauthbearer.\#
        DefaultJwtRetriever|read-only|-|medium
        sasl.oauthbearer.jwt.validator.class|class|org.apache.kafka.common.security.oauthbearer.\#
        DefaultJwtValidator|read-only|-|medium
        sasl.oauthbearer.scope|string|null|read-only|-|medium
        sasl.oauthbearer.client.credentials.client.id|string|null|read-only|-|medium
        sasl.oauthbearer.client.credentials.client.secret|password|null|read-only|-|medium
        sasl.oauthbearer.assertion.algorithm|string|RS256|read-only|(case insensitive) [ES256,\#
         RS256]|medium
        sasl.oauthbearer.assertion.claim.aud|string|null|read-only|-|medium
        sasl.oauthbearer.assertion.claim.exp.seconds|int|300|read-only|[0,...,86400]|low
        sasl.oauthbearer.assertion.claim.iss|string|null|read-only|-|medium
        sasl.oauthbearer.assertion.claim.jti.include|boolean|false|read-only|-|medium
        sasl.oauthbearer.assertion.claim.nbf.seconds|int|60|read-only|[0,...,3600]|low
        sasl.oauthbearer.assertion.claim.sub|string|null|read-only|-|medium
        sasl.oauthbearer.assertion.file|string|null|read-only|-|medium
        sasl.oauthbearer.assertion.private.key.file|string|null|read-only|-|medium
        sasl.oauthbearer.assertion.private.key.passphrase|password|null|read-only|-|medium
        sasl.oauthbearer.assertion.template.file|string|null|read-only|-|medium
        sasl.oauthbearer.scope.claim.name|string|scope|read-only|-|low
        sasl.oauthbearer.sub.claim.name|string|sub|read-only|-|low
        sasl.oauthbearer.token.endpoint.url|string|null|read-only|-|medium
        sasl.oauthbearer.jwks.endpoint.url|string|null|read-only|-|medium
        sasl.oauthbearer.jwks.endpoint.refresh.ms|long|3600000|read-only|-|low
        sasl.oauthbearer.jwks.endpoint.retry.backoff.ms|long|100|read-only|-|low
        sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms|long|10000|read-only|-|low
        sasl.oauthbearer.clock.skew.seconds|int|30|read-only|-|low
        sasl.oauthbearer.expected.audience|list||read-only|-|high
        sasl.oauthbearer.expected.issuer|string|null|read-only|-|high
        delegation.token.secret.key|password|null|read-only|-|medium
        delegation.token.max.lifetime.ms|long|604800000|read-only|[1,...]|medium
        delegation.token.expiry.time.ms|long|86400000|read-only|[1,...]|medium
        delegation.token.expiry.check.interval.ms|long|3600000|read-only|[1,...]|low
        """#
}
