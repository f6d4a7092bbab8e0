<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Response">
    <Response>
      <RefundNo><xsl:value-of select="g:request('RefundNo')"/></RefundNo>
      <HisRefundNo><xsl:value-of select="BillNo"/></HisRefundNo>
      <TransactionState>CONFIRMED</TransactionState>
      <RefundedAmount><xsl:value-of select="g:money(Amount)"/></RefundedAmount>
    </Response>
  </xsl:template>
</xsl:stylesheet>
