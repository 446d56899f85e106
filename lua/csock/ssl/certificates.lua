-- certificates.lua: certificates between PEM and DER, their dates, and a server's, as Python's ssl has them.
local check = require "csock.check"
local dates = require "csock.wire.dates"
local tls = require "csock.tls"

local ASKED = {
  ca_certs = { check.STRING }, timeout = { check.TIMEOUT }, server_hostname = { check.STRING },
}

return function(ssl)
  local M = {}

  --- A certificate's bytes in PEM; they are not looked at.
  -- Source: Python's `ssl.DER_cert_to_PEM_cert`.
  -- @function DER_cert_to_PEM_cert
  -- @tparam string der
  -- @treturn string
  -- @usage print(#ssl.DER_cert_to_PEM_cert "bytes" > 0) --> true
  function M.DER_cert_to_PEM_cert(der)
    return tls.pem(check.argument(check.STRING, der, 1, "DER_cert_to_PEM_cert"))
  end

  --- The bytes of the first certificate in a text.
  -- Source: Python's `ssl.PEM_cert_to_DER_cert`.
  -- @function PEM_cert_to_DER_cert
  -- @tparam string pem
  -- @treturn[1] string
  -- @treturn[2] nil
  -- @treturn[2] error
  -- @treturn[2] int errno
  -- @usage print(ssl.PEM_cert_to_DER_cert(ssl.DER_cert_to_PEM_cert "bytes")) --> bytes
  function M.PEM_cert_to_DER_cert(pem)
    return tls.der(check.argument(check.STRING, pem, 1, "PEM_cert_to_DER_cert"))
  end

  --- The time of `notBefore` or `notAfter`.
  -- Source: Python's `ssl.cert_time_to_seconds`.
  -- @function cert_time_to_seconds
  -- @tparam string cert_time such as `"Jan  5 09:34:43 2018 GMT"`
  -- @treturn int seconds since 1970-01-01, as `os.time` counts them
  -- @usage print(ssl.cert_time_to_seconds "Jan  5 09:34:43 2018 GMT") --> 1515144883
  function M.cert_time_to_seconds(cert_time)
    check.argument(check.STRING, cert_time, 1, "cert_time_to_seconds")
    local month, day, clock, year = cert_time:match "^(%a%a%a) +(%d%d?) (%d%d:%d%d:%d%d) (%d%d%d%d) GMT$"
    local time = month and dates.parse_mail(("%s %s %s %s GMT"):format(day, month, year, clock))
    if not time then check.bad("cert_time_to_seconds", 1, "a time like 'Jan  5 09:34:43 2018 GMT' expected") end
    return time
  end

  --- The certificate that a server shows. It is not verified, unless `ca_certs` says against what.
  -- Source: Python's `ssl.get_server_certificate`.
  -- @function get_server_certificate
  -- @param address the server's
  -- @tparam[opt] table options
  -- @tparam[opt] string options.ca_certs a file of certificates in PEM: against what it is verified
  -- @tparam[opt] number options.timeout seconds
  -- @tparam[opt] string options.server_hostname the name that is asked for (default: the address's host)
  -- @treturn[1] string in PEM
  -- @treturn[2] nil
  -- @treturn[2] error
  -- @treturn[2] int errno
  -- @usage local pem = assert(ssl.get_server_certificate {"localhost", 443})
  function M.get_server_certificate(address, options)
    local asked = check.options(options, ASKED, 2, "get_server_certificate")
    local context, err, code
    if asked.ca_certs then
      context, err, code = ssl.create_default_context(nil, { cafile = asked.ca_certs })
    else
      context, err, code = ssl.insecure_context()
    end
    if not context then return nil, err, code end
    local create = require("csock").create_connection
    local sock <close>, failure, number = create(address, {
      timeout = asked.timeout, ssl = context, server_hostname = asked.server_hostname,
    })
    if not sock then return nil, failure, number end
    return M.DER_cert_to_PEM_cert(sock:getpeercert(true))
  end

  return M
end
