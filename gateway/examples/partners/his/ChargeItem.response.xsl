<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Response">
    <Response>
      <ChargeNo><xsl:value-of select="g:request('ChargeNo')"/></ChargeNo>
      <HisChargeNo><xsl:value-of select="BillNo"/></HisChargeNo>
      <TransactionState>CONFIRMED</TransactionState>
      <Lines>
        <xsl:for-each select="Item">
          <Line><LineNo><xsl:value-of select="LineNo"/></LineNo><ResultCode>0</ResultCode><Amount><xsl:value-of select="g:money(Charges)"/></Amount></Line>
        </xsl:for-each>
      </Lines>
    </Response>
  </xsl:template>
</xsl:stylesheet>
