-- exit: 1
-- error: http.client: option `ca_cert`: /dev/null holds no certificate
-- hint: a certificate begins with -----BEGIN CERTIFICATE-----
global http

http.client({ ca_cert = "/dev/null" })
