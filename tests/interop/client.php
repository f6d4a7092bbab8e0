<?php
// PHP's SoapClient as a department would use it: a job from standard input, outcomes to standard output.
$job = json_decode(file_get_contents('php://stdin'), true, 512, JSON_THROW_ON_ERROR);
$client = new SoapClient($job['wsdl'], [
    'soap_version' => $job['version'] === '1.2' ? SOAP_1_2 : SOAP_1_1,
    'cache_wsdl' => WSDL_CACHE_NONE,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'exceptions' => true,
]);

/** SoapClient encodes bytes itself. */
function with_bytes($value)
{
    if (!is_array($value)) {
        return $value;
    }
    return isset($value['base64']) ? base64_decode($value['base64']) : array_map('with_bytes', $value);
}

$outcomes = [];
foreach ($job['calls'] as $call) {
    $client->__setSoapHeaders(new SoapHeader('urn:hospital-gateway:v1', 'AuthHeader',
        ['Username' => $call['username'], 'Password' => $call['password']]));
    try {
        $answer = $client->{$call['operation']}(['Request' => with_bytes($call['request'])]);
        $outcomes[] = ['answer' => $answer->Response];
    } catch (SoapFault $fault) {
        $outcomes[] = ['fault' => ['text' => $fault->getMessage()] + (array) ($fault->detail->GatewayFault ?? [])];
    }
}
echo json_encode($outcomes, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_PARTIAL_OUTPUT_ON_ERROR);
