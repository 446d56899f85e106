// The clients undici and node's own: undici.js PORT TASKS COUNT [http]. Prints what csock.lua prints.
const [port, tasks, count, own] = process.argv.slice(2)
const http = require('http')
const origin = 'http://127.0.0.1:' + port

function withUndici () {
  const { Pool } = require('undici')
  const pool = new Pool(origin, { connections: +tasks, pipelining: 1 })
  return async () => {
    const { statusCode, body } = await pool.request({ path: '/', method: 'GET' })
    const text = await body.text()
    if (statusCode !== 200 || text.length !== 1024) throw new Error('no answer')
  }
}

function withHttp () {
  const agent = new http.Agent({ keepAlive: true, maxSockets: +tasks })
  return () => new Promise((resolve, reject) => {
    http.get(origin + '/', { agent }, response => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', piece => { text += piece })
      response.on('end', () => text.length === 1024 ? resolve() : reject(new Error('no answer')))
    }).on('error', reject)
  })
}

const get = own ? withHttp() : withUndici()

async function run (total) {
  let left = total
  await Promise.all(Array.from({ length: +tasks }, async () => {
    while (left-- > 0) await get()
  }))
}

async function main () {
  await run(count / 10)
  const cpu = process.cpuUsage()
  const time = process.hrtime.bigint()
  await run(+count)
  const used = process.cpuUsage(cpu)
  const seconds = Number(process.hrtime.bigint() - time) / 1e9
  console.log((used.user + used.system) / count, count / seconds)
  process.exit()
}

main()
