// The contender node: node.js MODE (see ../load.c). Prints the port.
const net = require('net')
const dgram = require('dgram')
const mode = process.argv[2]
const clients = []

const handlers = {
  echo (conn) {
    conn.on('data', data => conn.write(data))
  },
  accept (conn) {
    conn.on('data', data => conn.end(data))
  },
  lines (conn) {
    let count = 0
    let rest = ''
    const gotLine = () => { count++ }
    conn.setEncoding('latin1')
    conn.on('data', data => {
      let from = 0
      for (let lf; (lf = data.indexOf('\n', from)) >= 0; from = lf + 1) {
        gotLine(rest + data.slice(from, lf))
        rest = ''
      }
      rest += data.slice(from)
    })
    conn.on('end', () => conn.end(count + '\n'))
  },
  fanout (conn) {
    clients.push(conn)
    conn.write('!')
    conn.on('data', data => { for (const client of clients) client.write(data) })
    conn.on('close', () => process.exit(0))
  }
}

if (mode === 'udp') {
  const server = dgram.createSocket('udp4')
  server.on('message', (data, from) => server.send(data, from.port, from.address))
  server.bind(0, '127.0.0.1', () => console.log(server.address().port))
} else {
  const server = net.createServer({ allowHalfOpen: mode === 'lines', noDelay: true }, conn => {
    conn.on('error', () => {})
    handlers[mode](conn)
  })
  server.listen(0, '127.0.0.1', 1024, () => console.log(server.address().port))
}
