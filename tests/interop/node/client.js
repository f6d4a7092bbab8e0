// node's `soap` as a ward's web server would use it: a job from standard input, outcomes to standard output.
const fs = require('node:fs');
const soap = require('soap');

// `soap` writes base64Binary as it is given.
const withText = (value) => {
  if (Array.isArray(value)) return value.map(withText);
  if (value === null || typeof value !== 'object') return value;
  if ('base64' in value) return value.base64;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withText(one)]));
};

const faultOf = (problem) => {
  const fault = problem.root?.Envelope?.Body?.Fault;
  if (!fault) throw problem;
  const detail = fault.detail ?? fault.Detail;
  return { text: problem.message, ...detail?.GatewayFault };
};

const main = async () => {
  const job = JSON.parse(fs.readFileSync(0, 'utf8'));
  const client = await soap.createClientAsync(job.wsdl, { forceSoap12Headers: job.version === '1.2' });
  const outcomes = [];
  for (const call of job.calls) {
    client.clearSoapHeaders();
    const header = { 'gw:AuthHeader': { 'gw:Username': call.username, 'gw:Password': call.password } };
    client.addSoapHeader(header, '', 'gw', 'urn:hospital-gateway:v1');
    try {
      const [answer] = await client[`${call.operation}Async`]({ Request: withText(call.request) });
      outcomes.push({ answer: answer.Response });
    } catch (problem) {
      outcomes.push({ fault: faultOf(problem) });
    }
  }
  process.stdout.write(JSON.stringify(outcomes));
};

main().catch((problem) => {
  process.stderr.write(`${problem.stack}\n`);
  process.exit(1);
});
