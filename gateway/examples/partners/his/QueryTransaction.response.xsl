<?xml version="1.0" encoding="UTF-8"?>
<!-- No Bill: HIS does not know it, and it is sent again. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Response">
    <Response>
      <Transactions>
        <xsl:for-each select="Bill">
          <Transaction>
            <Operation><xsl:choose><xsl:when test="ReturnSerial != ''">RefundItem</xsl:when><xsl:otherwise>ChargeItem</xsl:otherwise></xsl:choose></Operation>
            <GatewayTxnNo><xsl:value-of select="BillNo"/></GatewayTxnNo>
            <SenderCode><xsl:value-of select="SysCode"/></SenderCode>
            <MessageId><xsl:value-of select="MsgId"/></MessageId>
            <ReceivedAt><xsl:value-of select="g:iso(BookTime)"/></ReceivedAt>
            <ResultCode>0</ResultCode>
            <ChargeNo><xsl:value-of select="BillSerial"/></ChargeNo>
            <RefundNo><xsl:value-of select="ReturnSerial"/></RefundNo>
            <xsl:choose>
              <xsl:when test="ReturnSerial != ''"><HisRefundNo><xsl:value-of select="BillNo"/></HisRefundNo></xsl:when>
              <xsl:otherwise><HisChargeNo><xsl:value-of select="BillNo"/></HisChargeNo></xsl:otherwise>
            </xsl:choose>
            <TransactionState>CONFIRMED</TransactionState>
            <Amount><xsl:value-of select="g:money(Amount)"/></Amount>
          </Transaction>
        </xsl:for-each>
      </Transactions>
    </Response>
  </xsl:template>
</xsl:stylesheet>
