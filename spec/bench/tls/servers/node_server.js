// The contender node: node_server.js MODE CERTIFICATE KEY (see ../load.c). Prints the port.
const fs = require('fs')
const tls = require('tls')
const [mode, certificate, key] = process.argv.slice(2)
const MESSAGE = Buffer.alloc(1048576, 'x')

const handlers = {
  echo (conn) {
    conn.on('data', data => conn.write(data))
  },
  send (conn) {
    conn.on('data', () => conn.write(MESSAGE))
  },
  receive (conn) {
    let got = 0
    conn.on('data', data => {
      got += data.length
      if (got < MESSAGE.length) return
      got = 0
      conn.write('x')
    })
  },
  accept (conn) {
    conn.on('data', data => conn.end(data))
  }
}

const options = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key), noDelay: true }
const server = tls.createServer(options, conn => {
  conn.on('error', () => {})
  handlers[mode](conn)
})
server.listen(0, '127.0.0.1', 1024, () => console.log(server.address().port))
